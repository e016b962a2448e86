use axum::{body::Bytes, extract::State};
use shared::json::{Json, Path};

use super::drop::drop_id;
use crate::{
    app::App,
    brand::Logo,
    drops::{self, Drop},
    error::Error,
    extract::SignedIn,
};

/// Gives the drop a logo: an SVG or PNG file of at most 24 KiB.
///
/// A PNG has at most 1024 pixels a side; an SVG holds shapes, text and colours, no script and nothing from
/// elsewhere. What the file is counts, not what it is called.
#[utoipa::path(
    put,
    path = "/ops/api/drops/{id}/logo",
    operation_id = "set_logo",
    params(("id" = String, Path, description = "The drop")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version"),
        (status = 422, description = "logo")
    ),
    security(("operator" = []))
)]
pub(crate) async fn put(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    file: Bytes,
) -> Result<Json<Drop>, Error> {
    let logo = Logo::check(file.into())?;
    Ok(Json(drops::change_logo(&app.pool, &app.line, &drop_id(&id)?, Some(&logo), &operator.actor()).await?))
}

/// Takes the logo away.
#[utoipa::path(
    delete,
    path = "/ops/api/drops/{id}/logo",
    operation_id = "remove_logo",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::change_logo(&app.pool, &app.line, &drop_id(&id)?, None, &operator.actor()).await?))
}
