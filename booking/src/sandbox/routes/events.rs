//! `GET /v1/events`, newest first: what the shop was told, as far back as it is remembered; none where nobody is told.
//! <https://docs.stripe.com/api/events/list>

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

pub(super) async fn events(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(query.unwrap_or_default().as_bytes());
    let query = Query::take(&mut form)?;
    let kind = form.take("type");
    form.done()?;
    let look = |book: &Book| {
        let page = book.events(&query, kind.as_deref());
        let page = page.map_err(|NoSuch(id)| ApiError::no_such("event", &id))?;
        Ok(json!({
            "object": "list",
            "url": "/v1/events",
            "has_more": page.has_more,
            "data": page.items,
        }))
    };
    provider.read(Call::List, look).await
}
