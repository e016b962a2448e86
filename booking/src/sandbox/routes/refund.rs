//! `POST /v1/refunds`. <https://docs.stripe.com/api/refunds/create>

use axum::{
    body::Bytes,
    extract::{OriginalUri, State},
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

pub(super) async fn refund(
    State(provider): State<Provider>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(&body);
    let key = idempotency_key(&headers, &uri, &form)?;
    let intent = form.take("payment_intent").ok_or_else(|| ApiError::missing("payment_intent"))?;
    let change = Change::Refund { amount: form.take_amount("amount")? };
    // recorded by Stripe, without a meaning here
    form.take("reason");
    form.done()?;
    Ok(provider.run(Command::Change { intent, change }, key).await)
}
