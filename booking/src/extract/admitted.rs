//! A verified admission, held by the visitor it was granted to.

use admission::ids::VisitorSecret;
use admission::token::Admission;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

use crate::app::App;
use crate::error::Error;

const TOKEN_HEADER: &str = "onsale-admission";
const VISITOR_HEADER: &str = "onsale-visitor";
const VISITOR_COOKIE: &str = "__Host-onsale-visitor";

/// The token is ours and valid now, and whoever sent it also holds the visitor secret it is bound to:
/// a copied token alone is worth nothing.
pub(crate) struct Admitted {
    pub(crate) admission: Admission,
}

impl FromRequestParts<App> for Admitted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let token = parts.headers.get(TOKEN_HEADER).ok_or(Error::AdmissionMissing)?;
        let token = token.to_str().map_err(|_| Error::Admission(admission::token::TokenError::Invalid))?;
        let admission = app.admissions.verify(token, app.clock.now())?;
        let visitor = visitor(&parts.headers).ok_or(Error::VisitorMismatch)?;
        if !admission.belongs_to(&visitor) {
            return Err(Error::VisitorMismatch);
        }
        Ok(Admitted { admission })
    }
}

/// The header beats the cookie, even when the header cannot be read.
fn visitor(headers: &HeaderMap) -> Option<VisitorSecret> {
    match headers.get(VISITOR_HEADER) {
        Some(value) => VisitorSecret::parse(value.to_str().ok()?),
        None => VisitorSecret::parse(&shared::http::cookies::get(headers, VISITOR_COOKIE)?),
    }
}
