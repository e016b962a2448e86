//! `Stripe-Signature: t=<seconds>,v1=<hex HMAC-SHA256>[,v1=…]` over `<t>.<raw body>`.
//! <https://docs.stripe.com/webhooks#verify-manually>

use aws_lc_rs::hmac;
use jiff::Timestamp;
use shared::encoding;

/// Signatures looked at in one header: two while a secret is being rolled over, never many.
const SIGNATURES_MAX: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature header is missing or malformed")]
    Malformed,
    #[error("the signature is too old or from the future")]
    Stale,
    #[error("no signature matches")]
    Mismatch,
}

/// Checks the raw body, before anything parses it, against any of the header's signatures.
pub fn verify(
    secret: &str,
    header: &str,
    raw_body: &[u8],
    now: Timestamp,
    tolerance_s: u64,
) -> Result<(), SignatureError> {
    let mut signed_at: Option<i64> = None;
    let mut signatures: Vec<Vec<u8>> = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => signed_at = seconds.parse().ok(),
            Some(("v1", hex)) if signatures.len() < SIGNATURES_MAX => signatures.extend(from_hex(hex)),
            _ => {}
        }
    }
    let signed_at = signed_at.ok_or(SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    if now.as_second().abs_diff(signed_at) > tolerance_s {
        return Err(SignatureError::Stale);
    }
    let key = key(secret);
    let message = message(signed_at, raw_body);
    let genuine = signatures.iter().any(|signature| hmac::verify(&key, &message, signature).is_ok());
    if genuine { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// The header's value for a body sent at `now`.
#[must_use]
pub fn sign(secret: &str, raw_body: &[u8], now: Timestamp) -> String {
    let signed_at = now.as_second();
    let tag = hmac::sign(&key(secret), &message(signed_at, raw_body));
    format!("t={signed_at},v1={}", encoding::hex(tag.as_ref()))
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn message(signed_at: i64, raw_body: &[u8]) -> Vec<u8> {
    let mut message = signed_at.to_string().into_bytes();
    message.push(b'.');
    message.extend_from_slice(raw_body);
    message
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    #[test]
    fn what_was_signed_verifies_within_the_tolerance() {
        let secret = "whsec";
        let header = sign(secret, b"{}", at(1_000));
        assert_eq!(verify(secret, &header, b"{}", at(1_300), 300), Ok(()));
        assert_eq!(verify(secret, &header, b"{}", at(1_301), 300), Err(SignatureError::Stale));
        assert_eq!(verify(secret, &header, b"{}", at(699), 300), Err(SignatureError::Stale));
        assert_eq!(verify(secret, &header, b"{ }", at(1_000), 300), Err(SignatureError::Mismatch));
        assert_eq!(verify("other", &header, b"{}", at(1_000), 300), Err(SignatureError::Mismatch));
    }

    #[test]
    fn either_of_two_signatures_is_enough_while_the_secret_changes() {
        let (old, new) = ("old", "new");
        let both = format!("{},{}", sign(old, b"{}", at(5)), &sign(new, b"{}", at(5))[4..]);
        assert_eq!(verify(new, &both, b"{}", at(5), 300), Ok(()));
        assert_eq!(verify(old, &both, b"{}", at(5), 300), Ok(()));
    }

    #[test]
    fn nonsense_is_malformed() {
        let secret = "whsec";
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz", "t=1,v1=é0", "t=1,v0=00"] {
            assert_eq!(verify(secret, header, b"{}", at(1), 300), Err(SignatureError::Malformed), "{header}");
        }
    }
}
