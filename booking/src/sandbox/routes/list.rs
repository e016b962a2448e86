//! `GET /v1/payment_intents`, newest first. <https://docs.stripe.com/api/payment_intents/list>

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
};
use serde_json::json;

use crate::sandbox::{
    auth::Caller,
    error::ApiError,
    form::Form,
    provider::{Provider, Reply},
};

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

pub(super) async fn list(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let mut form = Form::parse(query.unwrap_or_default().as_bytes());
    let limit = match form.take("limit").map(|limit| limit.parse()) {
        None => LIMIT_DEFAULT,
        Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
        Some(_) => return Err(ApiError::unfit("limit", "Invalid limit: must be an integer from 1 to 100.")),
    };
    let after = form.take("starting_after");
    let expand_charge = form.take_expand("data.latest_charge");
    form.done()?;
    let page = provider.book().page(after.as_deref(), limit, expand_charge);
    let page = page.ok_or_else(|| ApiError::no_such("payment_intent", after.as_deref().unwrap_or_default()))?;
    Ok(Reply::ok(&json!({
        "object": "list",
        "url": "/v1/payment_intents",
        "has_more": page.has_more,
        "data": page.items,
    })))
}
