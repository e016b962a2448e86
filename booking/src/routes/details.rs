//! `GET /events/details/{event_id}`: one event with its venue, performers, tiers, availability
//! and drop. While Postgres is away it is answered from what is known.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::HeaderMap;
use serde::Serialize;
use shared::{json::Path, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    catalogue::{
        availability::{Availability, TierAvailability},
        details::{Details, DropSummary},
        events::Event,
    },
    error::Error,
    routes::cached::Page,
};

#[derive(Serialize, ToSchema)]
#[schema(as = EventDetails)]
pub(crate) struct Body<'a> {
    #[serde(flatten)]
    event: &'a Event,
    tiers: Vec<Tier<'a>>,
    /// Null without tickets, and while nobody can count them.
    #[schema(required)]
    availability: Option<&'a Availability>,
    /// Null: not on sale, or not known while Postgres is away.
    #[schema(required)]
    drop: Option<&'a DropSummary>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EventTier)]
struct Tier<'a> {
    tier: &'a str,
    name: &'a str,
    /// Minor units of the event's currency.
    price: i64,
    capacity: u64,
    available: u64,
}

/// One event with its venue, performers, tiers, availability and drop.
#[utoipa::path(
    get,
    path = "/events/details/{event_id}",
    operation_id = "show_event",
    params(("event_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The event; good for a second", body = Body<'_>),
        (status = 304, description = "As it was, for who sent its ETag"),
        (status = 404, description = "event")
    )
)]
pub(crate) async fn details(
    State(app): State<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // what is no id names no event
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    let details = find(&app, event_id).await?;
    let availability = match details.event.seating {
        Some(_) => app.availabilities.of(&app.pool, event_id).await?,
        None => None,
    };
    let body = Body {
        event: &details.event,
        tiers: availability.as_deref().map_or(Vec::new(), |counted| tiers(&details, counted)),
        availability: availability.as_deref(),
        drop: details.drop.as_ref(),
    };
    Ok(Page::moment(&body)?.respond(&headers))
}

/// The event from Postgres, or as the index knows it while Postgres is away.
async fn find(app: &App, event_id: Uuid) -> Result<Arc<Details>, Error> {
    match app.details.of(&app.pool, event_id).await {
        Ok(details) => details.ok_or(Error::EventUnknown),
        Err(mistake) if !mistake.is_outage() => Err(mistake.into()),
        Err(outage) => match app.search.event(event_id).await? {
            Some(event) => Ok(Arc::new(Details { event, drop: None, tier_names: Default::default() })),
            None => Err(outage.into()),
        },
    }
}

fn tiers<'a>(details: &'a Details, availability: &'a Availability) -> Vec<Tier<'a>> {
    let tier = |counted: &'a TierAvailability| Tier {
        tier: &counted.tier,
        name: details.tier_names.get(&counted.tier).unwrap_or(&counted.tier),
        price: counted.price,
        capacity: counted.capacity,
        available: counted.available,
    };
    availability.tiers.iter().map(tier).collect()
}
