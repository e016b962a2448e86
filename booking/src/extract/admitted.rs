//! A verified admission, held by the visitor it was granted to.

use admission::ids::{DropId, VisitorSecret};
use admission::presented;
use admission::token::{Admission, TokenError};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use shared::http::cookies;

use crate::app::App;
use crate::error::{Error, Result};

const TOKEN_HEADER: &str = "onsale-admission";

/// The token is ours and valid now, and whoever sent it also holds the visitor secret it is bound to:
/// a copied token alone is worth nothing.
pub(crate) struct Admitted {
    pub(crate) admission: Admission,
}

impl Admitted {
    /// Into this drop, by the header or, from browsers, by the drop's cookie. A header beats the cookie.
    ///
    /// # Errors
    /// `AdmissionMissing`, `Admission`, `VisitorMismatch`, `AdmissionWrongDrop`
    pub(crate) fn into_drop(app: &App, headers: &HeaderMap, drop: &DropId) -> Result<Self> {
        let token = in_header(headers)?.or_else(|| cookies::get(headers, &presented::admission_cookie(drop)));
        let admitted = verify(app, headers, &token.ok_or(Error::AdmissionMissing)?)?;
        if admitted.admission.drop == *drop { Ok(admitted) } else { Err(Error::AdmissionWrongDrop) }
    }
}

impl FromRequestParts<App> for Admitted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = in_header(&parts.headers)?.ok_or(Error::AdmissionMissing)?;
        verify(app, &parts.headers, &token)
    }
}

fn in_header(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(token) = headers.get(TOKEN_HEADER) else { return Ok(None) };
    Ok(Some(token.to_str().map_err(|_| Error::Admission(TokenError::Invalid))?.to_owned()))
}

fn verify(app: &App, headers: &HeaderMap, token: &str) -> Result<Admitted> {
    let admission = app.admissions.verify(token, app.clock.now())?;
    let visitor = presented::visitor(headers).and_then(|(text, _)| VisitorSecret::parse(&text));
    if !admission.belongs_to(&visitor.ok_or(Error::VisitorMismatch)?) {
        return Err(Error::VisitorMismatch);
    }
    Ok(Admitted { admission })
}
