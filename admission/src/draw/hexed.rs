//! Bytes that are read and written as lower-case hexadecimal, as the beacon's relays and the proof have them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use shared::encoding::hex;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hexed<const N: usize>([u8; N]);

impl<const N: usize> Hexed<N> {
    /// `None` unless `text` is hexadecimal of exactly `N` bytes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 2 * N {
            return None;
        }
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Of a text in this program.
    pub(super) const fn constant(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() == 2 * N, "two digits a byte");
        let mut bytes = [0; N];
        let mut at = 0;
        while at < N {
            let (Some(high), Some(low)) = (digit(text[2 * at]), digit(text[2 * at + 1])) else {
                panic!("hexadecimal digits")
            };
            bytes[at] = high << 4 | low;
            at += 1;
        }
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

impl<const N: usize> From<[u8; N]> for Hexed<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> fmt::Display for Hexed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hexed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<const N: usize> Serialize for Hexed<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hexed<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("expected {N} bytes in hexadecimal")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_of_exactly_so_many_bytes() {
        let two = Hexed::<2>::parse("0aFf").unwrap();
        assert_eq!((two.bytes(), two.to_string().as_str()), (&[0x0a, 0xff], "0aff"));
        for wrong in ["0af", "0aff0", "0agf", "", "é1"] {
            assert_eq!(Hexed::<2>::parse(wrong), None, "{wrong}");
        }
    }
}
