use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use crate::{app::App, error::Error, operators};

/// The signed-in operator: `Authorization: Bearer <token>`.
pub(crate) struct SignedIn(pub(crate) operators::Operator);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Error::SessionMissing)?;
        let operator = operators::signed_in(&app.pool, token.trim(), app.clock.now()).await?;
        operator.map(Self).ok_or(Error::SessionInvalid)
    }
}
