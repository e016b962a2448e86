//! A verified admission, held by the visitor it was granted to.

use admission::ids::VisitorSecret;
use admission::presented;
use admission::token::Admission;
use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::app::App;
use crate::error::Error;

const TOKEN_HEADER: &str = "onsale-admission";

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
        let visitor = presented::visitor(&parts.headers).and_then(|(text, _)| VisitorSecret::parse(&text));
        let visitor = visitor.ok_or(Error::VisitorMismatch)?;
        if !admission.belongs_to(&visitor) {
            return Err(Error::VisitorMismatch);
        }
        Ok(Admitted { admission })
    }
}
