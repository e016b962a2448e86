//! Numbers as people read them, the same in every role.

/// 1204332 as "1,204,332". What is below zero, or beyond what fits, is "0".
pub fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(0).to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 12, 999, 1_000, 45_678, 1_204_332, -5].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "45,678", "1,204,332", "0"].map(str::to_owned));
    }
}
