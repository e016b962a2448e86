use admission::line::PlaceState;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use shared::json::Json;

use super::status::document;
use crate::{
    app::App,
    error::Error,
    fan::{Caller, ended},
};

/// Takes the admission: the document with the token, or 202 while the claim waits for the bucket.
/// A fan who is not called reads where they stand.
pub(crate) async fn claim(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, Error> {
    let (fan, _, before) = caller.place(&app).await?;
    if ended(&before).is_some() {
        return Err(Error::PlaceEnded);
    }
    let (drop, place) = app.line.claim(&fan.drop, fan.place).await?;
    let status = match place {
        PlaceState::Claiming { .. } => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let document = document(&app, &fan, &drop, &place, None).await?;
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(document)))
}
