use axum::extract::State;
use shared::json::{Json, Path};

use crate::{
    app::App,
    drops::{self, Changes, Drop},
    error::Error,
    extract::SignedIn,
    ids::DropId,
};

/// One drop.
#[utoipa::path(
    get,
    path = "/ops/api/drops/{id}",
    operation_id = "show_drop",
    params(("id" = String, Path, description = "The drop")),
    responses((status = 200, description = "The drop", body = Drop), (status = 404, description = "drop")),
    security(("operator" = []))
)]
pub(crate) async fn show(
    State(app): State<App>,
    _operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::show(&app.pool, &drop_id(&id)?).await?))
}

/// Tunes it; the line obeys within a second.
#[utoipa::path(
    patch,
    path = "/ops/api/drops/{id}",
    operation_id = "change_drop",
    params(("id" = String, Path, description = "The drop")),
    request_body = Changes,
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn change(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    Json(changes): Json<Changes>,
) -> Result<Json<Drop>, Error> {
    let now = app.clock.now();
    let drop = drops::change(&app.pool, &app.line, &drop_id(&id)?, &changes, now, &operator.actor()).await?;
    Ok(Json(drop))
}

/// What is not a slug cannot be a drop.
pub(crate) fn drop_id(text: &str) -> Result<DropId, Error> {
    DropId::parse(text).ok_or(Error::Drop(drops::DropError::NotFound))
}
