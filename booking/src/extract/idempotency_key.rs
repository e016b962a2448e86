//! The key under which a client may repeat a request without doing it twice.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::app::App;
use crate::error::Error;

/// Longest key taken, in bytes (the payment provider's limit, too).
const LENGTH_MAX: usize = 255;

#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `None` when empty, longer than 255 bytes or not visible ASCII.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let fits = (1..=LENGTH_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| IdempotencyKey(key.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let value = parts.headers.get("idempotency-key").ok_or(Error::IdempotencyKeyMissing)?;
        let key = value.to_str().ok().and_then(IdempotencyKey::parse);
        key.ok_or_else(|| Error::Malformed("Idempotency-Key is 1 to 255 visible ASCII characters".to_owned()))
    }
}
