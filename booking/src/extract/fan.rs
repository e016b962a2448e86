//! A fan who is signed in.

use admission::{presented, session::Session};
use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
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
        Self::of(app, &parts.headers).await
    }
}

impl Fan {
    /// # Errors
    /// `SessionMissing`, `SessionInvalid`, `Unavailable`
    pub(crate) async fn of(app: &App, headers: &HeaderMap) -> Result<Self> {
        let token = presented::session(headers).ok_or(Error::SessionMissing)?;
        let session = app.sessions.verify(&token, app.clock.now())?;
        if accounts::is_revoked(&app.pool, &session).await? {
            return Err(Error::SessionInvalid);
        }
        Ok(Self { user_id: session.user_id, session })
    }
}
