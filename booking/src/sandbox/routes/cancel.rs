//! `POST /v1/payment_intents/{id}/cancel`. <https://docs.stripe.com/api/payment_intents/cancel>

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

const REASONS: [&str; 4] = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];

pub(super) async fn cancel(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(&body);
    let key = idempotency_key(&headers, &uri, &form)?;
    let reason = form.take("cancellation_reason");
    if reason.as_deref().is_some_and(|reason| !REASONS.contains(&reason)) {
        return Err(ApiError::unfit("cancellation_reason", "Invalid cancellation_reason."));
    }
    form.done()?;
    Ok(provider.run(Command::Change { intent: id, change: Change::Cancel { reason } }, key).await)
}
