//! `GET /`: what is on sale, what is coming, and a way to everything else.

use askama::Template;
use axum::{extract::State, response::Response};
use http::HeaderMap;
use jiff::Timestamp;
use shared::{pages::Site, problem::Problem};

use super::{
    sale::{self, Card, Stand},
    search, words,
};
use crate::{
    app::App,
    error::Error,
    routes::{cached::Page, search::unshare},
};

/// Cards in one section; the search lists the rest.
const SECTION_MAX: usize = 24;
/// Venues offered to look through.
const HINTS_MAX: usize = 4;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    site: Site,
    on_sale: Vec<Card>,
    coming_up: Vec<Card>,
    /// What is on sale could be asked.
    is_known: bool,
    /// Some that are on sale are not shown.
    has_more: bool,
    /// How many events a search looks through, as a text; none when there is nothing.
    searchable: Option<String>,
    hints: Vec<search::Link>,
}

pub(crate) async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    // the same for everybody: made once a moment
    let making = async { Ok(render(&app).await?) };
    let page = app.answers.try_get_with("home".to_owned(), making).await.map_err(unshare)?;
    Ok(page.respond(&headers))
}

async fn render(app: &App) -> Result<Page, Error> {
    let now = app.clock.now();
    let (listed, is_known) = match app.on_sales.from(&app.pool, sale::since(now)).await {
        Ok(listed) => (listed, true),
        Err(outage) if outage.is_outage() => (Default::default(), false),
        Err(mistake) => return Err(mistake.into()),
    };
    let (coming, open): (Vec<_>, Vec<_>) = listed
        .iter()
        .filter(|sale| !sale::is_past(&sale.event, now))
        .partition(|sale| matches!(Stand::of(&sale.event, Some(&sale.drop), None, now), Stand::Before(_)));
    let has_more = coming.len().max(open.len()) > SECTION_MAX;
    let mut on_sale = sale::cards(app, open.into_iter().take(SECTION_MAX)).await?;
    // what cannot be had any more comes last
    on_sale.sort_by_key(|card| card.stand == Stand::SoldOut);
    let mut coming: Vec<_> = coming.into_iter().take(SECTION_MAX).collect();
    coming.sort_by_key(|sale| sale.drop.opens_at.unwrap_or(Timestamp::MAX));
    let coming_up = sale::cards(app, coming.into_iter()).await?;
    let events = app.search.events();
    Page::html(&Home {
        site: app.site.clone(),
        on_sale,
        coming_up,
        is_known,
        has_more,
        searchable: (events > 0).then(|| words::counted(events, "event", "events")),
        hints: search::venues(app, HINTS_MAX).await?,
    })
}
