use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::json::Json;
use utoipa::ToSchema;

use crate::{app::App, error::Error, operators};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorSignIn)]
pub(crate) struct Request {
    email: String,
    #[schema(value_type = String)]
    password: SecretString,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorSession)]
pub(crate) struct Response {
    token: String,
}

/// Signs an operator in for twelve hours.
#[utoipa::path(
    post,
    path = "/ops/api/sessions",
    operation_id = "sign_operator_in",
    request_body = Request,
    responses(
        (status = 201, description = "Signed in", body = Response),
        (status = 401, description = "credentials"),
        (status = 429, description = "rate-limited")
    )
)]
pub(crate) async fn sign_in(
    State(app): State<App>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Response>), Error> {
    let now = app.clock.now();
    let token = operators::sign_in(&app.pool, &app.passwords, &request.email, request.password, now).await?;
    let token = token.ok_or(Error::Credentials)?;
    Ok((StatusCode::CREATED, Json(Response { token })))
}
