//! `POST /v1/payment_intents/{id}/capture`. <https://docs.stripe.com/api/payment_intents/capture>

use axum::{
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::HeaderMap,
};

use super::idempotency_key;
use crate::sandbox::{
    auth::Caller,
    command::{Change, Command},
    error::ApiError,
    form::Form,
    provider::{Provider, Reply},
};

pub(super) async fn capture(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(&body);
    let key = idempotency_key(&headers, &uri, &form)?;
    let change = Change::Capture { amount: form.take_amount("amount_to_capture")? };
    form.done()?;
    Ok(provider.run(Command::Change { intent: id, change }, key).await)
}
