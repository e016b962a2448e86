//! Who asks: the shop with its secret key, or a payer's browser with the publishable one.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;

use super::{Settings, error::ApiError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Shop,
    /// May only touch an intent whose client secret it shows.
    Browser,
}

impl Caller {
    /// The key comes as a bearer token or as the user of Basic authentication.
    pub(super) fn of(headers: &HeaderMap, settings: &Settings) -> Result<Self, ApiError> {
        let key = key(headers).ok_or_else(ApiError::unauthenticated)?;
        let is = |expected: &str| {
            !expected.is_empty()
                && aws_lc_rs::constant_time::verify_slices_are_equal(key.as_bytes(), expected.as_bytes()).is_ok()
        };
        if is(settings.secret_key.expose_secret()) {
            Ok(Self::Shop)
        } else if is(&settings.publishable_key) {
            Ok(Self::Browser)
        } else {
            Err(ApiError::unauthenticated())
        }
    }

    pub(super) fn must_be_shop(self) -> Result<(), ApiError> {
        match self {
            Self::Shop => Ok(()),
            Self::Browser => Err(ApiError::secret_key_required()),
        }
    }
}

fn key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
        return Some(decoded.split_once(':').map_or(decoded.clone(), |(user, _)| user.to_owned()));
    }
    None
}
