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
    search::{
        SearchError,
        query::{FacetValue, Params, Query},
    },
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

async fn answer(app: &App, query: Query) -> Result<Page, FindError> {
    let hits = find(app, query).await?;
    Ok(Page::moment(&Results {
        items: hits.events.into_iter().map(Item::from).collect(),
        total: hits.total,
        facets: hits.facets,
        next_cursor: hits.next_cursor,
    })?)
}

/// One page of what was found, with the tickets that are left.
pub(crate) struct Hits {
    /// Without a count where there are no tickets, and while nobody can count them.
    pub(crate) events: Vec<(Event, Option<Arc<Availability>>)>,
    pub(crate) total: usize,
    pub(crate) facets: BTreeMap<&'static str, Vec<FacetValue>>,
    pub(crate) next_cursor: Option<String>,
}

/// Runs the query; availability is laid over what the index found.
pub(crate) async fn find(app: &App, mut query: Query) -> Result<Hits, FindError> {
    if query.available {
        // when nothing is known and nobody can be asked, an answer would be a guess
        query.among = Some(app.availabilities.events_available(&app.pool).await?);
    }
    let started = tokio::time::Instant::now();
    let found = app.search.find(query).await?;
    ::metrics::histogram!(metrics::SEARCH_SECONDS).record(started.elapsed().as_secs_f64());
    let counted = async |event: Event| -> Result<_, Error> {
        let availability = match event.seating {
            Some(_) => app.availabilities.of(&app.pool, event.event_id).await?,
            None => None,
        };
        Ok((event, availability))
    };
    let events = try_join_all(found.events.into_iter().map(counted)).await?;
    Ok(Hits { events, total: found.total, facets: found.facets, next_cursor: found.next_cursor })
}

/// Why nothing was found: the query, which its sender can mend, or anything else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<FindError> for Error {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Search(error) => error.into(),
            FindError::Other(error) => error,
        }
    }
}

impl From<(Event, Option<Arc<Availability>>)> for Item {
    fn from((event, availability): (Event, Option<Arc<Availability>>)) -> Self {
        Item {
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
        }
    }
}

/// The error of a computation that others waited for as well.
pub(crate) fn unshare(error: Arc<FindError>) -> Error {
    match Arc::try_unwrap(error) {
        Ok(error) => error.into(),
        Err(shared) => match shared.as_ref() {
            FindError::Search(SearchError::Malformed { .. }) => Error::Malformed(shared.to_string()),
            FindError::Other(Error::EventUnknown) => Error::EventUnknown,
            FindError::Other(Error::Unavailable(cause)) => Error::Unavailable(anyhow::anyhow!("{cause:#}")),
            other => Error::Internal(anyhow::anyhow!("{other}")),
        },
    }
}
