//! A logo as it is taken: small, and of a kind that does nothing but be looked at.

use shared::encoding::{hex, sha256};

use super::svg;

/// The largest file.
pub const BYTES_MAX: usize = 24 * 1024;
/// The largest PNG, in pixels a side.
pub const SIDE_MAX: u32 = 1024;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A checked logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
}

/// Why a file is no logo, for the operator to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    #[error("a logo has at most {BYTES_MAX} bytes; this file has {0}")]
    Size(usize),
    #[error("a logo is an SVG or a PNG file; this is neither")]
    Kind,
    #[error("a PNG has at most {SIDE_MAX} × {SIDE_MAX} pixels; this one has {0} × {1}")]
    Pixels(u32, u32),
    #[error("the PNG is damaged or cut short")]
    Png,
    #[error("the SVG cannot be taken: {0}")]
    Svg(#[from] svg::Refused),
}

impl Logo {
    /// Goes by what the file is, whatever it was called.
    pub fn check(bytes: Vec<u8>) -> Result<Self, LogoError> {
        if bytes.len() > BYTES_MAX {
            return Err(LogoError::Size(bytes.len()));
        }
        let kind = if bytes.starts_with(PNG_SIGNATURE) {
            png(&bytes)?;
            Kind::Png
        } else if let Ok(text) = std::str::from_utf8(&bytes)
            && svg::looks_like(text)
        {
            svg::check(text)?;
            Kind::Svg
        } else {
            return Err(LogoError::Kind);
        };
        Ok(Self { kind, bytes })
    }

    /// Names its content: another logo has another name, so that it may be cached for good.
    pub fn file(&self) -> String {
        let suffix = match self.kind {
            Kind::Svg => "svg",
            Kind::Png => "png",
        };
        format!("{}.{suffix}", hex(&sha256(&[&self.bytes])[..8]))
    }

    pub fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Svg => "image/svg+xml",
            Kind::Png => "image/png",
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The chunks of a PNG from the first, which tells the size, to the last (ISO/IEC 15948, 5.3 and 11.2.2).
fn png(bytes: &[u8]) -> Result<(), LogoError> {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map(u32::from_be_bytes).ok_or(LogoError::Png)
    };
    let mut at = PNG_SIGNATURE.len();
    if (number(at)?, bytes.get(at + 4..at + 8)) != (13, Some(b"IHDR")) {
        return Err(LogoError::Png);
    }
    let (width, height) = (number(at + 8)?, number(at + 12)?);
    if width == 0 || height == 0 {
        return Err(LogoError::Png);
    }
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err(LogoError::Pixels(width, height));
    }
    // each chunk is its length, its name, so many bytes, and a checksum
    while bytes.get(at + 4..at + 8) != Some(b"IEND") {
        at = at.checked_add(number(at)? as usize).and_then(|end| end.checked_add(12)).ok_or(LogoError::Png)?;
    }
    if at + 12 == bytes.len() { Ok(()) } else { Err(LogoError::Png) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = PNG_SIGNATURE.to_vec();
        bytes.extend(13_u32.to_be_bytes());
        bytes.extend(b"IHDR");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 1, 2, 3, 4]);
        bytes.extend(b"\0\0\0\x02IDATxx1234\0\0\0\0IEND\xae\x42\x60\x82");
        bytes
    }

    #[test]
    fn a_png_is_whole_and_not_too_large() {
        let good = Logo::check(png_of(1024, 1)).unwrap();
        assert_eq!(good.content_type(), "image/png");
        assert!(good.file().ends_with(".png") && good.file().len() == 20);
        assert_ne!(good.file(), Logo::check(png_of(1023, 1)).unwrap().file());
        assert_eq!(Logo::check(png_of(1025, 9)), Err(LogoError::Pixels(1025, 9)));
        assert_eq!(Logo::check(png_of(0, 9)), Err(LogoError::Png));
        for cut in 8..png_of(9, 9).len() {
            assert_eq!(Logo::check(png_of(9, 9)[..cut].to_vec()), Err(LogoError::Png), "{cut}");
        }
        let mut longer = png_of(9, 9);
        longer.extend(b"<script>");
        assert_eq!(Logo::check(longer), Err(LogoError::Png));
    }

    #[test]
    fn what_is_no_picture_or_too_much_of_one_is_refused() {
        for bytes in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"hello", b"<html></html>", b"\xfe\xff<svg"] {
            assert_eq!(Logo::check(bytes.to_vec()), Err(LogoError::Kind));
        }
        assert_eq!(Logo::check(vec![b' '; BYTES_MAX + 1]), Err(LogoError::Size(BYTES_MAX + 1)));
        let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>"#;
        assert_eq!(Logo::check(svg.to_vec()).unwrap().content_type(), "image/svg+xml");
    }
}
