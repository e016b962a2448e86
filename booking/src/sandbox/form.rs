//! Stripe's parameters: form-encoded, nested ones as `metadata[key]`, unknown ones refused.

use std::collections::BTreeMap;

use super::error::ApiError;

/// <https://docs.stripe.com/api/metadata>
const METADATA_MAX: usize = 50;
const METADATA_VALUE_MAX_CHARS: usize = 500;

/// Parameters not asked for yet; [`Form::done`] refuses the rest.
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self { pairs: pairs.collect() }
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The last value given; an empty one is none, as with Stripe.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let mut value = None;
        self.pairs.retain_mut(|(key, given)| {
            let other = key != name;
            if !other {
                value = Some(std::mem::take(given));
            }
            other
        });
        value.filter(|value| !value.is_empty())
    }

    /// An amount in minor units, more than nothing.
    pub(super) fn take_amount(&mut self, name: &'static str) -> Result<Option<i64>, ApiError> {
        /// Stripe takes eight digits.
        const AMOUNT_MAX: i64 = 99_999_999;
        let Some(text) = self.take(name) else { return Ok(None) };
        match text.parse() {
            Ok(amount @ 1..=AMOUNT_MAX) => Ok(Some(amount)),
            _ => Err(ApiError::unfit(name, format!("Invalid {name}: must be an integer from 1 to {AMOUNT_MAX}."))),
        }
    }

    /// Whether `expand[]` asks for this.
    pub(super) fn take_expand(&mut self, what: &str) -> bool {
        self.take_list("expand").iter().any(|path| path == what)
    }

    /// `name[]`, `name[0]`, …
    pub(super) fn take_list(&mut self, name: &str) -> Vec<String> {
        self.take_pairs(name).into_iter().map(|(_, value)| value).collect()
    }

    pub(super) fn take_metadata(&mut self) -> Result<BTreeMap<String, String>, ApiError> {
        let metadata: BTreeMap<_, _> = self.take_pairs("metadata").into_iter().collect();
        let too_long = metadata.values().any(|value| value.chars().count() > METADATA_VALUE_MAX_CHARS);
        if metadata.len() > METADATA_MAX || too_long {
            return Err(ApiError::unfit(
                "metadata",
                "Metadata takes up to 50 keys with values of up to 500 characters.",
            ));
        }
        Ok(metadata)
    }

    /// Pairs of the inner key and the value: `created[gte]=5` gives `gte` and `5`.
    pub(super) fn take_pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        self.pairs.retain_mut(|(key, value)| {
            let inner = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
            match inner {
                Some(inner) => {
                    taken.push((inner.to_owned(), std::mem::take(value)));
                    false
                }
                None => true,
            }
        });
        taken
    }

    /// # Errors
    /// When a parameter is left that nobody asked for.
    pub(super) fn done(self) -> Result<(), ApiError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::unknown(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_parameters_are_taken_apart_and_strangers_refused() {
        let mut form = Form::parse(b"amount=500&metadata%5Bbooking_id%5D=b+1&payment_method_types%5B0%5D=card&x=1");
        assert_eq!(form.take_amount("amount").expect("fits"), Some(500));
        assert_eq!(form.take_metadata().expect("fits").get("booking_id").map(String::as_str), Some("b 1"));
        assert_eq!(form.take_list("payment_method_types"), ["card"]);
        assert_eq!(form.done().expect_err("x is unknown").body()["error"]["param"], "x");
    }

    #[test]
    fn amounts_are_whole_and_positive() {
        for bad in ["0", "-1", "1.5", "100000000", "x"] {
            let mut form = Form::parse(format!("amount={bad}").as_bytes());
            assert!(form.take_amount("amount").is_err(), "{bad}");
        }
    }
}
