use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{app::App, error::Error, operators, presented};

/// The signed-in operator: `Authorization: Bearer <token>`.
pub(crate) struct SignedIn(pub(crate) operators::Operator);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let token = presented::bearer(&parts.headers).ok_or(Error::SessionMissing)?;
        let operator = operators::signed_in(&app.pool, &token, app.clock.now()).await?;
        operator.map(Self).ok_or(Error::SessionInvalid)
    }
}
