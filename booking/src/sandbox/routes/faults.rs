//! `/sandbox/faults`: the fault script, for the shop's key. What it says is in `docs/sandbox.md`.

use axum::{body::Bytes, extract::State, http::HeaderMap};

use crate::sandbox::{
    auth::Caller,
    error::ApiError,
    faults::{BadScript, Script},
    provider::{Provider, Reply},
};

/// The rules, and how often each saw a call and fired.
pub(super) async fn show(State(provider): State<Provider>, headers: HeaderMap) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    Ok(Reply::ok(&provider.faults().view()))
}

/// Another script from now on; answers as [`show`] would.
pub(super) async fn replace(
    State(provider): State<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let script = Script::parse(&body).map_err(|BadScript { field, message }| ApiError::bad_script(&field, message))?;
    let view = script.view();
    provider.faults().replace(script);
    Ok(Reply::ok(&view))
}

/// No more faults; answers what the script did.
pub(super) async fn end(State(provider): State<Provider>, headers: HeaderMap) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    Ok(Reply::ok(&provider.faults().replace(Script::default())))
}
