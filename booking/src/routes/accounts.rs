//! `POST /accounts`: registers a fan and signs them in.

use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use http::{StatusCode, header};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::{self, Registration},
    app::App,
    error::Error,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount)]
pub(crate) struct Request {
    username: String,
    email: String,
    #[schema(value_type = String, min_length = 8, max_length = 200)]
    password: SecretString,
    phone: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
struct Answer {
    user_id: Uuid,
}

/// Registers a fan.
///
/// 201 with the session in a cookie, so that a fan who has just chosen a password is not asked for it again.
#[utoipa::path(
    post,
    path = "/accounts",
    request_body = Request,
    responses(
        (status = 201, description = "Registered and, in a browser, signed in", body = Answer),
        (status = 409, description = "account-exists"),
        (status = 429, description = "rate-limited")
    )
)]
pub(crate) async fn register(State(app): State<App>, Json(request): Json<Request>) -> Result<impl IntoResponse, Error> {
    let Request { username, email, password, phone } = request;
    let registration = Registration::new(&username, &email, password, phone.as_deref())?;
    let signed_in = accounts::register(&app, registration).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, signed_in.cookie())]);
    Ok((StatusCode::CREATED, cookie, Json(Answer { user_id: signed_in.user_id })))
}
