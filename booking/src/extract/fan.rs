//! A fan who is signed in.

use admission::session::Session;
use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use shared::http::cookies;
use uuid::Uuid;

use crate::{
    accounts,
    app::App,
    error::{Error, Result},
};

/// The session is ours, has not ended and was not signed out. While Postgres is down nobody can tell, and the
/// request fails with 503 rather than trust a session that may be revoked.
pub(crate) struct Fan {
    pub(crate) user_id: Uuid,
    pub(crate) session: Session,
}

impl FromRequestParts<App> for Fan {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = token(&parts.headers)?;
        let session = app.sessions.verify(&token, app.clock.now())?;
        if accounts::is_revoked(&app.pool, &session).await? {
            return Err(Error::SessionInvalid);
        }
        Ok(Self { user_id: session.user_id, session })
    }
}

/// The header beats the cookie, even when the header cannot be read.
fn token(headers: &HeaderMap) -> Result<String> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return cookies::get(headers, accounts::COOKIE).ok_or(Error::SessionMissing);
    };
    let value = value.to_str().map_err(|_| Error::SessionInvalid)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim().to_owned()),
        _ => Err(Error::SessionInvalid),
    }
}
