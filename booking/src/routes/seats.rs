//! `GET /events/{event_id}/seats`: which seats are free, two bits each.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use shared::{json::Path, problem::Problem};
use uuid::Uuid;

use crate::{app::App, error::Error, routes::cached::Page};

pub(crate) async fn snapshot(
    State(app): State<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    let snapshot = app.snapshots.of(&app.pool, event_id).await?.ok_or(Error::EventUnknown)?;
    Ok(Page::moment(snapshot.as_ref())?.respond(&headers))
}
