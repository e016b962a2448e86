//! `POST /sessions` signs in, `DELETE /sessions` signs out.

use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use http::{StatusCode, header};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::{http::cookies, json::Json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{accounts, app::App, error::Error, extract::Fan};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub(crate) struct Request {
    email: String,
    #[schema(value_type = String)]
    password: SecretString,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct Answer {
    token: String,
    user_id: Uuid,
    expires_at: Timestamp,
}

/// Signs a fan in.
///
/// 201 with the session in the body for API clients and in a cookie for browsers.
#[utoipa::path(
    post,
    path = "/sessions",
    request_body = Request,
    responses(
        (status = 201, description = "Signed in", body = Answer),
        (status = 401, description = "credentials"),
        (status = 429, description = "rate-limited")
    )
)]
pub(crate) async fn sign_in(State(app): State<App>, Json(request): Json<Request>) -> Result<impl IntoResponse, Error> {
    let signed_in = accounts::sign_in(&app, &request.email, request.password).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, signed_in.cookie())]);
    let answer = Answer { token: signed_in.token, user_id: signed_in.user_id, expires_at: signed_in.expires_at };
    Ok((StatusCode::CREATED, cookie, Json(answer)))
}

/// Signs out; the session is of no use to anybody afterwards.
#[utoipa::path(
    delete,
    path = "/sessions",
    responses((status = 204, description = "Signed out")),
    security(("session" = []))
)]
pub(crate) async fn sign_out(State(app): State<App>, fan: Fan) -> Result<impl IntoResponse, Error> {
    accounts::revoke(&app.pool, &fan.session).await?;
    accounts::forget_expired(&app.pool, app.clock.now()).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, cookies::set(accounts::COOKIE, "", 0))]);
    Ok((StatusCode::NO_CONTENT, gone))
}
