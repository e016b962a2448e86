//! `GET /v1/refunds?payment_intent=…`, newest first. <https://docs.stripe.com/api/refunds/list>

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
};
use serde_json::json;

use crate::sandbox::{
    auth::Caller,
    book::Book,
    error::ApiError,
    faults::Call,
    form::Form,
    provider::{Provider, Reply},
};

/// All refunds of one intent, which are few; listing everybody's is not offered.
pub(super) async fn refunds(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(query.unwrap_or_default().as_bytes());
    let intent = form.take("payment_intent").ok_or_else(|| ApiError::missing("payment_intent"))?;
    form.take("limit");
    form.done()?;
    let look = |book: &Book| {
        let data = book.refunds_of(&intent);
        Ok(json!({ "object": "list", "url": "/v1/refunds", "has_more": false, "data": data }))
    };
    provider.read(Call::List, look).await
}
