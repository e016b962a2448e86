use admission::{
    ids::DropId,
    line::{DropState, PlaceState},
    position::never_rising,
};
use axum::{extract::State, http::header, response::IntoResponse};
use serde::Deserialize;
use shared::json::{Json, Query};
use utoipa::IntoParams;

use crate::{
    app::App,
    crowd::Crowd,
    document::{Document, View},
    error::Error,
    fan::{Caller, Fan},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    /// The position shown last: the next is never above it.
    pub(super) shown: Option<u64>,
}

/// Where the fan stands; changes nothing.
#[utoipa::path(
    get,
    path = "/queue/{drop}/status",
    params(("drop" = DropId, Path), Shown),
    responses(
        (status = 200, description = "The place as it stands", body = Document),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 503, description = "restoring")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn status(
    State(app): State<App>,
    caller: Caller,
    Query(Shown { shown }): Query<Shown>,
) -> Result<impl IntoResponse, Error> {
    let (fan, drop, place) = caller.place(&app).await?;
    let document = document(&app, &fan, &drop, &place, shown).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(document)))
}

/// The document of a place just looked at, its rank capped by the position shown last.
pub(crate) async fn document(
    app: &App,
    fan: &Fan,
    drop: &DropState,
    place: &PlaceState,
    shown: Option<u64>,
) -> Result<Document, Error> {
    let crowd = app.crowds.of(&fan.drop).await?;
    document_in(app, &crowd, fan, drop, place, shown)
}

/// The same, of a crowd at hand.
pub(crate) fn document_in(
    app: &App,
    crowd: &Crowd,
    fan: &Fan,
    drop: &DropState,
    place: &PlaceState,
    shown: Option<u64>,
) -> Result<Document, Error> {
    let ahead = match place {
        PlaceState::Waiting { rank, .. } => {
            Some(never_rising(*rank, shown.and_then(|position| position.checked_sub(1))))
        }
        _ => None,
    };
    let tick = crowd.tick();
    let view = View { fan, drop, place, ahead, speed: tick.speed, counts: &tick.counts };
    let mut document = view.document(&app.passes, &app.signer)?;
    // while the list is being read the receipt waits, the fan does not
    document.draw = app.draws.receipt(&fan.drop, &tick, fan.place, place);
    Ok(document)
}
