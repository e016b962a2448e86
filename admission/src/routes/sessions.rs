use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::json::Json;

use crate::{app::App, error::Error, operators};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    email: String,
    password: SecretString,
}

#[derive(Serialize)]
pub(crate) struct Response {
    token: String,
}

/// Signs an operator in for twelve hours.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Response>), Error> {
    let now = app.clock.now();
    let token = operators::sign_in(&app.pool, &app.passwords, &request.email, request.password, now).await?;
    let token = token.ok_or(Error::Credentials)?;
    Ok((StatusCode::CREATED, Json(Response { token })))
}
