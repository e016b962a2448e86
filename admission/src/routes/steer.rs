//! Open, pause, resume, end, tell: what an operator does while fans wait.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use shared::json::{Json, Path};
use utoipa::ToSchema;

use super::drop::drop_id;
use crate::{
    app::App,
    drops::{self, Drop},
    error::Error,
    extract::SignedIn,
    line::Notice,
};

/// Opens a drop now, whatever `opens_at` said.
#[utoipa::path(
    post,
    path = "/ops/api/drops/{id}/open",
    operation_id = "open_drop",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn open(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    let now = app.clock.now();
    Ok(Json(drops::open(&app.pool, &app.line, &drop_id(&id)?, now, &operator.actor()).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropPause)]
pub(crate) struct Pause {
    /// What fans read.
    reason: String,
}

/// Stops calling and admitting; nothing lapses meanwhile.
#[utoipa::path(
    post,
    path = "/ops/api/drops/{id}/pause",
    operation_id = "pause_drop",
    params(("id" = String, Path, description = "The drop")),
    request_body = Pause,
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn pause(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    Json(request): Json<Pause>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::pause(&app.pool, &app.line, &drop_id(&id)?, &request.reason, &operator.actor()).await?))
}

/// Goes on calling and admitting.
#[utoipa::path(
    post,
    path = "/ops/api/drops/{id}/resume",
    operation_id = "resume_drop",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn resume(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::resume(&app.pool, &app.line, &drop_id(&id)?, &operator.actor()).await?))
}

/// Ends a drop for good: nobody is admitted any more; who is inside may finish.
#[utoipa::path(
    post,
    path = "/ops/api/drops/{id}/end",
    operation_id = "end_drop",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (status = 200, description = "The drop as it is now", body = Drop),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn end(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::end(&app.pool, &app.line, &drop_id(&id)?, &operator.actor()).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNotice)]
pub(crate) struct Words {
    text: String,
    /// BCP 47.
    #[serde(default = "english")]
    lang: String,
}

fn english() -> String {
    "en".to_owned()
}

/// Tells all fans something, at once and on every page they open later.
#[utoipa::path(
    post,
    path = "/ops/api/drops/{id}/notice",
    operation_id = "notify_drop",
    params(("id" = String, Path, description = "The drop")),
    request_body = Words,
    responses(
        (status = 201, description = "What fans read", body = Notice),
        (status = 404, description = "drop"),
        (status = 409, description = "version")
    ),
    security(("operator" = []))
)]
pub(crate) async fn notice(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    Json(words): Json<Words>,
) -> Result<(StatusCode, Json<Notice>), Error> {
    let notice = Notice::new(words.text, words.lang, app.clock.now());
    drops::notice(&app.pool, &app.line, &drop_id(&id)?, &notice, &operator.actor()).await?;
    Ok((StatusCode::CREATED, Json(notice)))
}

/// Takes the notice back: no page shows it any more.
#[utoipa::path(
    delete,
    path = "/ops/api/drops/{id}/notice",
    operation_id = "withdraw_notice",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (status = 204, description = "Fans read no notice"),
        (status = 404, description = "drop")
    ),
    security(("operator" = []))
)]
pub(crate) async fn withdraw_notice(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    drops::withdraw_notice(&app.pool, &app.line, &drop_id(&id)?, app.clock.now(), &operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
