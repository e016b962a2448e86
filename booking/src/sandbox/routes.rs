//! All URLs of the sandbox, as Stripe has them, and the bank's page. No middleware of its own: the role's front adds
//! what every role has.

mod cancel;
mod capture;
mod challenge;
mod confirm;
mod create;
mod events;
mod faults;
mod fetch;
mod list;
mod refund;
mod refunds;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::OriginalUri,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use shared::pages::Site;

use super::{
    error::ApiError,
    form::Form,
    idempotency::{KEY_MAX_BYTES, Key},
    provider::{Provider, Reply},
};

pub(super) fn api(provider: Provider) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create::create).get(list::list))
        .route("/v1/payment_intents/{id}", get(fetch::fetch))
        .route("/v1/payment_intents/{id}/confirm", post(confirm::confirm))
        .route("/v1/payment_intents/{id}/capture", post(capture::capture))
        .route("/v1/payment_intents/{id}/cancel", post(cancel::cancel))
        .route("/v1/refunds", post(refund::refund).get(refunds::refunds))
        .route("/v1/events", get(events::events))
        .route("/sandbox/faults", get(faults::show).post(faults::replace).delete(faults::end))
        .with_state(provider)
}

/// A bank's page for the payer.
pub(super) fn pages(provider: Provider, site: Site) -> Router {
    Router::new()
        .route("/sandbox/3ds/{id}", get(challenge::page).post(challenge::answer))
        .with_state(challenge::Bank { provider, site })
}

/// The request's idempotency key, tied to its path and parameters.
fn idempotency_key(headers: &HeaderMap, uri: &OriginalUri, form: &Form) -> Result<Option<Key>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_MAX_BYTES).contains(&key.len()));
    let key = key.ok_or_else(|| ApiError::unfit("Idempotency-Key", "Keys are 1 to 255 characters long."))?;
    Ok(Some(Key::new(key.to_owned(), uri.path(), form.pairs())))
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Self::Answer { status, body, replayed } = self else { return nothing() };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}

/// A response whose body breaks off before its first byte: hyper ends the connection without having written anything.
fn nothing() -> Response {
    let cut = futures_util::stream::once(async { Err::<Bytes, _>("cut, as a fault") });
    Response::new(Body::from_stream(cut))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Reply::from(self).into_response()
    }
}
