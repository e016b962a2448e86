use admission::{ids::DropId, line::PlaceState};
use axum::{extract::State, http::StatusCode};

use crate::{
    app::App,
    error::Error,
    fan::{Caller, ended},
};

/// Ends the place; what it took is free at once. Leaving twice changes nothing.
#[utoipa::path(
    post,
    path = "/queue/{drop}/leave",
    params(("drop" = DropId, Path)),
    responses(
        (status = 204, description = "Left"),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 503, description = "restoring")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn leave(State(app): State<App>, caller: Caller) -> Result<StatusCode, Error> {
    give_up(&app, caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What leaving is, for the API and the waiting page alike.
pub(crate) async fn give_up(app: &App, caller: Caller) -> Result<(), Error> {
    let (fan, _, place) = caller.place(app).await?;
    // one that is on another device goes on there
    if ended(&place).is_none() && place != PlaceState::Moved {
        app.line.leave(&fan.drop, &fan.held()).await?;
    }
    Ok(())
}
