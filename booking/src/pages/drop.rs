//! `GET /drops/{drop}`: the events of a drop. Who was admitted to several chooses here; everybody else may look.

use admission::ids::DropId;
use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use shared::{
    json::Path,
    pages::{self, Site},
    problem::Problem,
};

use super::sale::{self, Card, Stand};
use crate::{app::App, catalogue::details::DropSummary, error::Error, extract::Admitted, routes::cached::Page};

#[derive(Template)]
#[template(path = "drop.html")]
struct DropPage<'a> {
    site: Site,
    drop: &'a DropSummary,
    cards: Vec<Card>,
    /// Nobody can choose seats yet.
    is_before: bool,
    takes_fans: bool,
    /// Whoever looks has been let in.
    is_admitted: bool,
}

pub(crate) async fn show(
    State(app): State<App>,
    Path(drop_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "drop", "No such sale");
    let drop_id = DropId::parse(&drop_id).ok_or_else(unknown)?;
    let listed = app.on_sales.of_drop(&app.pool, &drop_id).await.map_err(Error::from)?;
    let drop = &listed.first().ok_or_else(unknown)?.drop;
    let cards = sale::cards(&app, listed.iter()).await?;
    let is_before = cards.iter().any(|card| matches!(card.stand, Stand::Before(_)));
    let takes_fans = cards.iter().any(|card| card.stand.takes_fans());
    let is_admitted = Admitted::into_drop(&app, &headers, &drop_id).is_ok();
    let page = DropPage { site: app.site.clone(), drop, cards, is_before, takes_fans, is_admitted };
    if is_admitted {
        return Ok(pages::page(&page));
    }
    let mut response = Page::html(&page)?.respond(&headers);
    // who is let in must not be shown what was kept before
    response.headers_mut().append(header::VARY, HeaderValue::from_static("cookie"));
    Ok(response)
}
