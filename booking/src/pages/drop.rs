//! `GET /drops/{drop}`: the events of a drop. Who was admitted to several chooses here; everybody else may look.

use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use shared::{json::Path, pages::Site, problem::Problem};

use super::sale::{self, Card, Stand};
use crate::{app::App, catalogue::details::DropSummary, error::Error, routes::cached::Page};

#[derive(Template)]
#[template(path = "drop.html")]
struct DropPage<'a> {
    site: Site,
    drop: &'a DropSummary,
    cards: Vec<Card>,
    /// Nobody can choose seats yet.
    is_before: bool,
}

pub(crate) async fn show(
    State(app): State<App>,
    Path(drop_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let listed = app.on_sales.of_drop(&app.pool, &drop_id).await.map_err(Error::from)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "drop", "No such sale");
    let drop = &listed.first().ok_or_else(unknown)?.drop;
    let cards = sale::cards(&app, listed.iter()).await?;
    let is_before = cards.iter().any(|card| matches!(card.stand, Stand::Before(_)));
    Ok(Page::html(&DropPage { site: app.site.clone(), drop, cards, is_before })?.respond(&headers))
}
