//! `GET /layouts/{hash}`: a hall's seats, named by their content and good for ever.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use shared::{json::Path, problem::Problem};

use crate::{app::App, error::Error, routes::cached::Page};

/// Hex digits in the name of a layout.
const HASH_DIGITS: usize = 32;

pub(crate) async fn layout(
    State(app): State<App>,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if hash.len() != HASH_DIGITS || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::LayoutUnknown.into());
    }
    let body = app.layouts.get(&app.pool, &hash).await?;
    Ok(Page::for_ever(body).respond(&headers))
}
