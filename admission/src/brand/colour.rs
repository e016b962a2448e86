//! sRGB colours and their contrast, as WCAG 2.2 defines it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Red, green and blue; written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl Colour {
    pub const BLACK: Self = Self([0; 3]);
    pub const WHITE: Self = Self([255; 3]);

    /// `#rrggbb`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// From 1, the same, to 21, black on white.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Black or white, whichever stands out more.
    pub fn opposite(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// Itself, or as little of `towards` mixed in as it takes to reach the contrast on `ground`.
    pub fn legible_on(self, ground: Self, towards: Self, contrast: f64) -> Self {
        let mixed = (0..=100).map(|percent| self.mixed(towards, percent));
        mixed.into_iter().find(|mixed| mixed.contrast(ground) >= contrast).unwrap_or(towards)
    }

    fn mixed(self, with: Self, percent: u32) -> Self {
        let mix = |one: u8, other: u8| ((u32::from(one) * (100 - percent) + u32::from(other) * percent) / 100) as u8;
        Self(std::array::from_fn(|part| mix(self.0[part], with.0[part])))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a colour is #rrggbb")
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_written() {
        assert_eq!(Colour::parse("#0aF9c2").unwrap().to_string(), "#0af9c2");
        for bad in ["", "0af9c2", "#0af9c", "#0af9c2f", "#0af9cg", "#+1+2+3", "#é9c2a"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        let grey = Colour::parse("#767676").unwrap(); // the lightest grey that passes on white
        assert!(grey.contrast(Colour::WHITE) >= 4.5 && Colour([0x77; 3]).contrast(Colour::WHITE) < 4.5);
        assert_eq!(
            (Colour([0xff, 0xd0, 0]).opposite(), Colour([0, 0, 0x80]).opposite()),
            (Colour::BLACK, Colour::WHITE)
        );
    }
}
