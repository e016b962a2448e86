//! `GET /layouts/{hash}`: a hall's seats, named by their content and good for ever.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use shared::{json::Path, problem::Problem};

use crate::{app::App, catalogue::layout::Layout, error::Error, routes::cached::Page};

/// Hex digits in the name of a layout.
const HASH_DIGITS: usize = 32;

/// A hall's seats, named by their content and good for ever.
#[utoipa::path(
    get,
    path = "/layouts/{hash}",
    params(("hash" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The layout", body = Layout),
        (status = 304, description = "For who sent its ETag"),
        (status = 404, description = "layout")
    )
)]
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
