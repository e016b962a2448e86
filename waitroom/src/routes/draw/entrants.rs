use std::{convert::Infallible, sync::Arc};

use admission::{
    draw::{list_bytes, tree::Tree},
    ids::DropId,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use shared::{encoding::hex, json::Path};

use crate::{app::App, error::Error};

/// Places of one part of the body: 64 KiB.
const PART: usize = 4_096;

/// The frozen list of the draw: places of 16 bytes, ascending. Its name is its root.
#[utoipa::path(
    get,
    path = "/queue/{drop}/draw/entrants",
    params(("drop" = DropId, Path)),
    responses(
        (status = 200, description = "The list", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The list that was asked for by its root"),
        (status = 404, description = "drop, list"),
        (status = 503, description = "restoring")
    )
)]
pub(crate) async fn entrants(
    State(app): State<App>,
    headers: HeaderMap,
    Path(drop): Path<String>,
) -> Result<Response, Error> {
    let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
    let tick = app.crowds.of(&drop).await?.tick();
    let tree = app.draws.tree(&drop, &tick).await?.ok_or(Error::NoList)?;
    let name = format!("\"{}\"", hex(&tree.root()));
    let caching = [(header::ETAG, name.as_str()), (header::CACHE_CONTROL, "public, max-age=60")];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == name.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let length = (tree.places().len() * 16).to_string();
    let kind = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_LENGTH, length.as_str())];
    Ok((caching, kind, body(tree)).into_response())
}

fn body(tree: Arc<Tree>) -> Body {
    let parts = (0..tree.places().len()).step_by(PART).map(move |at| {
        let places = &tree.places()[at..];
        Ok::<_, Infallible>(Bytes::from(list_bytes(&places[..places.len().min(PART)])))
    });
    Body::from_stream(stream::iter(parts))
}
