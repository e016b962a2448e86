use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse as _, Response},
};

use crate::{app::App, error::Error, operators, pages, presented};

/// The signed-in operator: `Authorization: Bearer <token>`, or from browsers the cookie.
pub(crate) struct SignedIn(pub(crate) operators::Operator);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let token = presented::operator(&parts.headers).ok_or(Error::SessionMissing)?;
        let operator = operators::signed_in(&app.pool, &token, app.clock.now()).await?;
        operator.map(Self).ok_or(Error::SessionInvalid)
    }
}

/// The operator who looks at a page. Whoever is not signed in, or not any more, is led to the sign-in, and
/// from there back to the page.
pub(crate) struct OnPage(pub(crate) operators::Operator);

impl FromRequestParts<App> for OnPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match SignedIn::from_request_parts(parts, app).await {
            Ok(SignedIn(operator)) => Ok(Self(operator)),
            Err(Error::SessionMissing | Error::SessionInvalid) => Err(pages::sign_in_first(parts.uri.path())),
            Err(error) => Err(error.into_response()),
        }
    }
}
