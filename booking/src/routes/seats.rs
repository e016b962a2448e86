//! `GET /events/{event_id}/seats`: which seats are free, two bits each.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use shared::{json::Path, problem::Problem};
use uuid::Uuid;

use crate::{app::App, error::Error, routes::cached::Page, seats::snapshot::Snapshot};

/// Which seats are free, two bits each.
#[utoipa::path(
    get,
    path = "/events/{event_id}/seats",
    operation_id = "show_seats",
    params(("event_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The seats in the layout's order; good for a second", body = Snapshot),
        (status = 304, description = "As they were, for who sent their ETag"),
        (status = 404, description = "event")
    )
)]
pub(crate) async fn snapshot(
    State(app): State<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    let snapshot = app.snapshots.of(&app.pool, event_id).await?.ok_or(Error::EventUnknown)?;
    Ok(Page::moment(snapshot.as_ref())?.respond(&headers))
}
