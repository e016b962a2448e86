//! `GET /events/search`: find events; answers while Postgres is away.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use futures_util::future::try_join_all;
use http::HeaderMap;
use jiff::civil;
use serde::Serialize;
use shared::{json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    catalogue::{
        availability::Availability,
        events::{Event, Seating},
    },
    error::Error,
    metrics,
    routes::cached::Page,
    search::query::{FacetValue, Params, Query},
};

/// Performers named in a result; the details name all.
const PERFORMERS_SHOWN: usize = 8;

#[derive(Serialize, ToSchema)]
#[schema(as = SearchResults)]
struct Results {
    items: Vec<Item>,
    total: usize,
    facets: BTreeMap<&'static str, Vec<FacetValue>>,
    #[schema(required)]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SearchItem)]
struct Item {
    event_id: Uuid,
    name: String,
    category: String,
    date: civil::Date,
    #[schema(required, value_type = Option<String>, format = "time")]
    time: Option<civil::Time>,
    #[schema(required)]
    starts_at: Option<String>,
    venue: ItemVenue,
    performers: Vec<String>,
    series: String,
    organizer: String,
    /// Null while there are no tickets.
    #[schema(required)]
    seating: Option<Seating>,
    /// Null without tickets, and while nobody can count them.
    #[schema(required, value_type = Option<Availability>)]
    availability: Option<Arc<Availability>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SearchVenue)]
struct ItemVenue {
    name: String,
    #[schema(required)]
    slug: Option<String>,
    address: String,
    city: String,
}

/// Finds events; answers while Postgres is away, too.
#[utoipa::path(
    get,
    path = "/events/search",
    operation_id = "search_events",
    params(Params),
    responses(
        (status = 200, description = "A page; good for a second", body = Results),
        (status = 304, description = "As it was, for who sent its ETag")
    )
)]
pub(crate) async fn search(
    State(app): State<App>,
    json::Query(params): json::Query<Params>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(params).map_err(Error::from)?;
    let key = format!("{} {}", app.search.generation(), query.key());
    let page = app.answers.try_get_with(key, answer(&app, query)).await.map_err(unshare)?;
    Ok(page.respond(&headers))
}

async fn answer(app: &App, mut query: Query) -> Result<Page, Error> {
    if query.available {
        // when nothing is known and nobody can be asked, an answer would be a guess
        query.among = Some(app.availabilities.events_available(&app.pool).await?);
    }
    let started = tokio::time::Instant::now();
    let found = app.search.find(query).await?;
    ::metrics::histogram!(metrics::SEARCH_SECONDS).record(started.elapsed().as_secs_f64());
    let items = try_join_all(found.events.into_iter().map(|event| item(app, event))).await?;
    Page::moment(&Results { items, total: found.total, facets: found.facets, next_cursor: found.next_cursor })
}

async fn item(app: &App, event: Event) -> Result<Item, Error> {
    let availability = match event.seating {
        Some(_) => app.availabilities.of(&app.pool, event.event_id).await?,
        None => None,
    };
    Ok(Item {
        event_id: event.event_id,
        name: event.name,
        category: event.category,
        date: event.date,
        time: event.time,
        starts_at: event.starts_at,
        venue: ItemVenue {
            name: event.venue.name,
            slug: event.venue.slug,
            address: event.venue.address,
            city: event.venue.city,
        },
        performers: event.performers.into_iter().take(PERFORMERS_SHOWN).map(|performer| performer.name).collect(),
        series: event.series,
        organizer: event.organizer,
        seating: event.seating,
        availability,
    })
}

/// The error of a computation that others waited for as well.
fn unshare(error: Arc<Error>) -> Error {
    match Arc::try_unwrap(error) {
        Ok(error) => error,
        Err(shared) => match shared.as_ref() {
            Error::Malformed(what) => Error::Malformed(what.clone()),
            Error::Unavailable(cause) => Error::Unavailable(anyhow::anyhow!("{cause:#}")),
            other => Error::Internal(anyhow::anyhow!("{other}")),
        },
    }
}
