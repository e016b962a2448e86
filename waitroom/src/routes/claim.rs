use admission::{
    ids::DropId,
    line::{DropState, PlaceState},
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use shared::json::{Json, Query};

use super::status::{Shown, document};
use crate::{
    app::App,
    document::Document,
    error::Error,
    fan::{Caller, Fan, ended},
};

/// Takes the admission, once the fan is called.
///
/// A fan who is not called reads where they stand.
#[utoipa::path(
    post,
    path = "/queue/{drop}/claim",
    params(("drop" = DropId, Path), Shown),
    responses(
        (status = 200, description = "Admitted, with the token in `admission`; or not called, and nothing changed", body = Document),
        (status = 202, description = "The claim waits its turn; it cannot lapse any more", body = Document),
        (status = 403, description = "place-ended"),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 503, description = "restoring")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn claim(
    State(app): State<App>,
    caller: Caller,
    Query(Shown { shown }): Query<Shown>,
) -> Result<impl IntoResponse, Error> {
    let (fan, drop, place) = take(&app, caller).await?;
    let status = match place {
        PlaceState::Claiming { .. } => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let document = document(&app, &fan, &drop, &place, shown).await?;
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(document)))
}

/// What claiming is, for the API and the waiting page alike.
pub(crate) async fn take(app: &App, caller: Caller) -> Result<(Fan, DropState, PlaceState), Error> {
    let (mut fan, _, before) = caller.place(app).await?;
    if ended(&before).is_some() {
        return Err(Error::PlaceEnded);
    }
    let (drop, place) = fan.claim(app).await?;
    // also when it was moved since it was looked at
    if place == PlaceState::Moved {
        return Err(Error::PlaceMoved);
    }
    Ok((fan, drop, place))
}
