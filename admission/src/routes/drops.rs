use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use shared::json::Json;
use uuid::Uuid;

use crate::{
    app::App,
    drops::{self, Drop, NewDrop, Settings},
    error::Error,
    extract::SignedIn,
    ids::DropId,
};

#[derive(Serialize)]
pub(crate) struct List {
    items: Vec<Drop>,
}

/// All drops, newest first.
pub(crate) async fn list(State(app): State<App>, _operator: SignedIn) -> Result<Json<List>, Error> {
    Ok(Json(List { items: drops::list(&app.pool).await? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    drop: DropId,
    events: Vec<Uuid>,
    settings: Settings,
}

/// Makes a drop.
pub(crate) async fn create(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Drop>), Error> {
    let new = NewDrop { id: request.drop, events: request.events, settings: request.settings };
    let drop = drops::create(&app.pool, &app.line, &new, &operator.actor()).await?;
    Ok((StatusCode::CREATED, Json(drop)))
}
