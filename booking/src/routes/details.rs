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
pub(crate) struct Tier<'a> {
    pub(crate) tier: &'a str,
    pub(crate) name: &'a str,
    /// Minor units of the event's currency.
    pub(crate) price: i64,
    capacity: u64,
    pub(crate) available: u64,
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
    let known = Known::of(&app, &event_id).await?;
    let body = Body {
        event: &known.details.event,
        tiers: known.availability.as_deref().map_or(Vec::new(), |counted| tiers(&known.details, counted)),
        availability: known.availability.as_deref(),
        drop: known.details.drop.as_ref(),
    };
    Ok(Page::moment(&body)?.respond(&headers))
}

/// What can be said of an event right now.
pub(crate) struct Known {
    pub(crate) details: Arc<Details>,
    /// `None` without tickets, and while nobody can count them.
    pub(crate) availability: Option<Arc<Availability>>,
    /// Postgres has been asked about its sale: where there is no drop, there is none.
    pub(crate) is_sale_known: bool,
}

impl Known {
    /// The event from Postgres, or as the index knows it while Postgres is away. What is no id names no event.
    pub(crate) async fn of(app: &App, event_id: &str) -> Result<Self, Error> {
        let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
        let (details, is_sale_known) = match app.details.of(&app.pool, event_id).await {
            Ok(details) => (details.ok_or(Error::EventUnknown)?, true),
            Err(mistake) if !mistake.is_outage() => return Err(mistake.into()),
            Err(outage) => match app.search.event(event_id).await? {
                Some(event) => (Arc::new(Details { event, drop: None, tiers: Default::default() }), false),
                None => return Err(outage.into()),
            },
        };
        let availability = match details.event.seating {
            Some(_) => app.availabilities.of(&app.pool, event_id).await?,
            None => None,
        };
        Ok(Self { details, availability, is_sale_known })
    }
}

pub(crate) fn tiers<'a>(details: &'a Details, availability: &'a Availability) -> Vec<Tier<'a>> {
    let tier = |counted: &'a TierAvailability| Tier {
        tier: &counted.tier,
        name: details.tiers.get(&counted.tier).map_or(&counted.tier, |tier| &tier.name),
        price: counted.price,
        capacity: counted.capacity,
        available: counted.available,
    };
    availability.tiers.iter().map(tier).collect()
}
