//! Open, pause, resume, end, tell: what an operator does while fans wait.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use shared::{
    encoding::{base64url, random},
    json::{Json, Path},
};

use super::drop::drop_id;
use crate::{
    app::App,
    drops::{self, Drop},
    error::Error,
    extract::SignedIn,
    line::Notice,
};

pub(crate) async fn open(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    let now = app.clock.now();
    Ok(Json(drops::open(&app.pool, &app.line, &drop_id(&id)?, now, &operator.actor()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    /// What fans read.
    reason: String,
}

pub(crate) async fn pause(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    Json(request): Json<Pause>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::pause(&app.pool, &app.line, &drop_id(&id)?, &request.reason, &operator.actor()).await?))
}

pub(crate) async fn resume(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::resume(&app.pool, &app.line, &drop_id(&id)?, &operator.actor()).await?))
}

pub(crate) async fn end(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Drop>, Error> {
    Ok(Json(drops::end(&app.pool, &app.line, &drop_id(&id)?, &operator.actor()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    text: String,
    /// BCP 47.
    #[serde(default = "english")]
    lang: String,
}

fn english() -> String {
    "en".to_owned()
}

pub(crate) async fn notice(
    State(app): State<App>,
    SignedIn(operator): SignedIn,
    Path(id): Path<String>,
    Json(words): Json<Words>,
) -> Result<(StatusCode, Json<Notice>), Error> {
    let notice = Notice { id: base64url(&random::<9>()), text: words.text, lang: words.lang, at: app.clock.now() };
    drops::notice(&app.pool, &app.line, &drop_id(&id)?, &notice, &operator.actor()).await?;
    Ok((StatusCode::CREATED, Json(notice)))
}
