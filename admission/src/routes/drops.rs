use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use shared::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    drops::{self, Drop, NewDrop, Settings},
    error::Error,
    extract::SignedIn,
    ids::DropId,
};

#[derive(Serialize, ToSchema)]
#[schema(as = DropList)]
pub(crate) struct List {
    items: Vec<Drop>,
}

/// All drops, newest first.
#[utoipa::path(
    get,
    path = "/ops/api/drops",
    operation_id = "list_drops",
    responses((status = 200, description = "Up to 500", body = List)),
    security(("operator" = []))
)]
pub(crate) async fn list(State(app): State<App>, _operator: SignedIn) -> Result<Json<List>, Error> {
    Ok(Json(List { items: drops::list(&app.pool).await? }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDrop)]
pub(crate) struct Request {
    drop: DropId,
    events: Vec<Uuid>,
    settings: Settings,
}

/// Makes a drop.
#[utoipa::path(
    post,
    path = "/ops/api/drops",
    operation_id = "create_drop",
    request_body = Request,
    responses(
        (status = 201, description = "The drop", body = Drop),
        (status = 404, description = "event"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn create(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Drop>), Error> {
    let new = NewDrop { id: request.drop, events: request.events, settings: request.settings };
    let drop = drops::create(&app.pool, &app.line, &new, &operator.actor()).await?;
    Ok((StatusCode::CREATED, Json(drop)))
}
