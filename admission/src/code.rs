//! The code that moves a place to another device: short enough to be typed, long enough not to be guessed.

use std::fmt;

use shared::encoding::random;

/// Crockford's base 32: no I, L, O or U, which are misread, and those who type them are understood.
/// <https://www.crockford.com/base32.html>
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Fifty bits: among the 50,000 codes that may live in a drop, a guess finds one in 22 billion.
const LETTERS: usize = 10;
/// How it is shown: in groups of so many.
const GROUP: usize = 5;
/// Texts longer than this are not looked at: twice what anybody types with blanks and dashes, in bytes.
const TEXT_MAX_BYTES: usize = 40;

/// Never logged: whoever has it has the place.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    pub fn generate() -> Self {
        let letters = random::<LETTERS>().into_iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        Self(letters.collect())
    }

    /// From what somebody typed: case, blanks and dashes do not matter, nor O for 0 or I and L for 1.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX_BYTES {
            return None;
        }
        let mut letters = String::with_capacity(LETTERS);
        for typed in text.chars() {
            let letter = match typed.to_ascii_uppercase() {
                '-' | '–' | '—' => continue,
                blank if blank.is_whitespace() => continue,
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            };
            if !u8::try_from(letter).is_ok_and(|letter| ALPHABET.contains(&letter)) {
                return None;
            }
            letters.push(letter);
        }
        (letters.len() == LETTERS).then_some(Self(letters))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is read out: `ABCDE-FGHJK`.
    pub fn expose(&self) -> String {
        let (first, second) = self.0.split_at(GROUP);
        format!("{first}-{second}")
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::parse("0123A-BCDEF").unwrap();
        assert_eq!(code.expose(), "0123A-BCDEF");
        for typed in ["0123abcdef", " oI23a bcdef ", "0L23A–BCDEF", "0-1-2-3-a-b-c-d-e-f"] {
            assert_eq!(Code::parse(typed).as_ref(), Some(&code), "{typed}");
        }
        let long = "0123ABCDEF".repeat(5);
        for wrong in ["", "0123ABCDE", "0123ABCDEFG", "0123ABCDEU", "0123ABCDE!", "0123ABCDÉF", long.as_str()] {
            assert_eq!(Code::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_survives_being_shown_and_is_never_logged() {
        let code = Code::generate();
        assert_eq!(Code::parse(&code.expose()).as_ref(), Some(&code));
        assert_ne!(Code::generate(), code);
        assert_eq!(format!("{code:?}"), "Code([REDACTED])");
    }
}
