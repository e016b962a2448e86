//! The byte formats used everywhere: base64url without padding, lower-case hex, SHA-256,
//! and random bytes.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Up to so many bytes are hashed in one go: a third of the time that a context of its own takes.
const SHORT: usize = 160;

/// base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding. `None` for anything else: padding, other alphabets,
/// stray bits in the last character; so every value has one spelling.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Like [`from_base64url`], for exactly `N` bytes.
pub fn from_base64url_exact<const N: usize>(text: &str) -> Option<[u8; N]> {
    // the length first: nothing is allocated for a long text that cannot fit
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    from_base64url(text)?.try_into().ok()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// `N` bytes from the system's cryptographic generator.
///
/// # Panics
/// When the system has no randomness to give: no secret can be made then, so nothing may go on.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random generator works");
    bytes
}

/// SHA-256 of the parts joined together. The parts are not separated: join only parts whose
/// lengths are fixed, or separate them yourself.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = [0; 32];
    let mut short = [0; SHORT];
    let mut left = short.as_mut_slice();
    for part in parts {
        let Some((here, rest)) = left.split_at_mut_checked(part.len()) else {
            let mut context = digest::Context::new(&digest::SHA256);
            parts.iter().for_each(|part| context.update(part));
            hash.copy_from_slice(context.finish().as_ref());
            return hash;
        };
        here.copy_from_slice(part);
        left = rest;
    }
    let length = SHORT - left.len();
    hash.copy_from_slice(digest::digest(&digest::SHA256, &short[..length]).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(from_base64url("-_8").unwrap(), [0xfb, 0xff]);
        for wrong in ["-_8=", "+/8", "-_9", "-_8 ", "ü"] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn exact_means_exact() {
        let bytes = random::<32>();
        assert_eq!(from_base64url_exact::<32>(&base64url(&bytes)), Some(bytes));
        assert_eq!(from_base64url_exact::<31>(&base64url(&bytes)), None);
        assert_eq!(from_base64url_exact::<32>(&"A".repeat(44)), None);
        assert_eq!(from_base64url_exact::<0>(""), Some([]));
    }

    #[test]
    fn hashes_the_parts_as_one() {
        // FIPS 180-4, "abc"
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(&[b"a", b"bc"])), expected);
        for length in [0, SHORT - 1, SHORT, SHORT + 1, 1_000] {
            let bytes = vec![7; length];
            let whole = digest::digest(&digest::SHA256, &bytes);
            assert_eq!(&sha256(&[&bytes[..length / 3], &bytes[length / 3..]]), whole.as_ref(), "{length}");
        }
    }

    #[test]
    fn random_is_not_constant() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
