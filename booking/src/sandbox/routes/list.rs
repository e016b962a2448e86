//! `GET /v1/payment_intents`, newest first. <https://docs.stripe.com/api/payment_intents/list>

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
    list::{NoSuch, Query},
    provider::{Provider, Reply},
};

pub(super) async fn list(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(query.unwrap_or_default().as_bytes());
    let query = Query::take(&mut form)?;
    let expand_charge = form.take_expand("data.latest_charge");
    form.done()?;
    let look = |book: &Book| {
        let page = book.intents(&query, expand_charge);
        let page = page.map_err(|NoSuch(id)| ApiError::no_such("payment_intent", &id))?;
        Ok(json!({
            "object": "list",
            "url": "/v1/payment_intents",
            "has_more": page.has_more,
            "data": page.items,
        }))
    };
    provider.read(Call::List, look).await
}
