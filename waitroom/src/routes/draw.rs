mod entrants;
mod lists;

pub(crate) use entrants::{__path_entrants, entrants};
pub(crate) use lists::{Draws, Receipt};

use admission::{draw::Proof, ids::DropId, line::BatchError};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use shared::json::Path;

use crate::{app::App, error::Error};

/// The draw's rules and proof, as far as it has come; enough, with the list, to compute every key again.
#[utoipa::path(
    get,
    path = "/queue/{drop}/draw",
    params(("drop" = DropId, Path)),
    responses(
        (status = 200, description = "Rules and proof", body = Proof),
        (status = 404, description = "drop, draw"),
        (status = 503, description = "restoring")
    )
)]
pub(crate) async fn draw(State(app): State<App>, Path(drop): Path<String>) -> Result<Response, Error> {
    let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
    let tick = app.crowds.of(&drop).await?.tick();
    let proof = tick.face.draw.clone();
    if proof.is_empty() && tick.drop.ended {
        return Err(Error::NoDraw);
    }
    if proof.is_empty() {
        // the drop was made, or Redis was lost, less than a second ago
        return Err(Error::Batch(BatchError::Restoring));
    }
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=1")];
    Ok((headers, proof).into_response())
}
