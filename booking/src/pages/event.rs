//! `GET /e/{event_id}`: what, when, where, who, and the one button that leads to tickets. Public and kept for
//! a moment, like its JSON; while Postgres is away it shows what is known.

use askama::Template;
use axum::{extract::State, response::Response};
use http::HeaderMap;
use jiff::Timestamp;
use shared::{json::Path, pages::Site, problem::Problem};
use uuid::Uuid;

use super::{
    sale::{self, Stand},
    words::{self, When},
};
use crate::{
    app::App,
    catalogue::{
        details::DropSummary,
        events::{Event, Performer, Work},
    },
    error::Error,
    routes::{
        cached::Page,
        details::{Known, tiers},
        search::unshare,
    },
};

/// Performers and works that are shown at once; the others open.
const NAMES_SHOWN: usize = 12;
/// Colours the style sheet has for tiers.
const TIER_COLOURS: usize = 8;

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage<'a> {
    site: Site,
    event: &'a Event,
    /// Absolute, for those who pass it on.
    url: String,
    /// One line for search engines and previews.
    summary: String,
    when: When,
    place: String,
    paragraphs: Vec<&'a str>,
    performers: Shortened<'a, Performer>,
    works: Shortened<'a, Work>,
    tiers: Vec<Tier<'a>>,
    left: Option<String>,
    drop: Option<&'a DropSummary>,
    stand: Stand,
    /// When the sale opens, by the venue's clock.
    opens: Option<When>,
    /// How long until then, roughly.
    opens_in: Option<String>,
    /// Every ticket that is left is in somebody's hands.
    all_held: bool,
    is_sale_known: bool,
}

/// A list of which the end opens.
struct Shortened<'a, T> {
    shown: &'a [T],
    rest: &'a [T],
}

impl<'a, T> Shortened<'a, T> {
    fn new(all: &'a [T]) -> Self {
        // two more are not worth a click
        let shown = if all.len() <= NAMES_SHOWN + 2 { all.len() } else { NAMES_SHOWN };
        let (shown, rest) = all.split_at(shown);
        Self { shown, rest }
    }
}

struct Tier<'a> {
    name: &'a str,
    /// Of the style sheet's colours.
    colour: usize,
    price: String,
    left: String,
    is_gone: bool,
}

pub(crate) async fn show(
    State(app): State<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    // the same for everybody: made once a moment, however many look when something changes
    let making = async { Ok(Box::pin(render(&app, event_id)).await?) };
    let page = app.answers.try_get_with(format!("event {event_id}"), making).await.map_err(unshare)?;
    Ok(page.respond(&headers))
}

async fn render(app: &App, event_id: Uuid) -> Result<Page, Error> {
    let known = Known::of(app, &event_id.to_string()).await?;
    Page::html(&page(app, &known))
}

fn page<'a>(app: &App, known: &'a Known) -> EventPage<'a> {
    let now = app.clock.now();
    let details = &*known.details;
    let event = &details.event;
    let drop = details.drop.as_ref();
    let counted = known.availability.as_deref();
    let stand = Stand::of(event, drop, counted, now);
    let opens_at = match stand {
        Stand::Before(at) => at,
        _ => None,
    };
    let tiers: Vec<_> = counted.map_or(Vec::new(), |counted| {
        let shown = |(position, tier): (usize, crate::routes::details::Tier<'a>)| Tier {
            name: tier.name,
            colour: details.tiers.get(tier.tier).map_or(position, |known| known.position) % TIER_COLOURS,
            price: words::money(tier.price, &event.currency),
            left: sale::left(tier.available),
            is_gone: tier.available == 0,
        };
        tiers(details, counted).into_iter().enumerate().map(shown).collect()
    });
    let when = words::when(event);
    EventPage {
        site: app.site.clone(),
        url: format!("{}/e/{}", app.public_url, event.event_id),
        summary: summary(event, &when, &tiers),
        when,
        place: sale::place(event),
        paragraphs: event.description.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect(),
        performers: Shortened::new(&event.performers),
        works: Shortened::new(&event.works),
        tiers,
        left: counted.map(|counted| sale::left(counted.available)),
        drop,
        stand,
        opens: opens_at.map(|at| words::moment(at, event.venue.timezone.as_deref())),
        opens_in: opens_at.map(|at| words::wait(now.duration_until(at).as_secs())),
        all_held: stand == Stand::Open && counted.is_some_and(|counted| counted.available == 0),
        is_sale_known: known.is_sale_known,
        event,
    }
}

fn summary(event: &Event, when: &When, tiers: &[Tier<'_>]) -> String {
    let mut said = vec![when.day.clone()];
    said.extend(when.time.clone());
    said.push(sale::place(event));
    let price = tiers.last().map(|cheapest| format!(" From {}.", cheapest.price)).unwrap_or_default();
    format!("{}.{price}", said.join(", "))
}

impl EventPage<'_> {
    /// When the countdown ends, for the browser.
    fn opens_at(&self) -> Option<Timestamp> {
        self.drop.and_then(|drop| drop.opens_at)
    }

    /// The address, as far as the place does not say it.
    fn address(&self) -> Option<&str> {
        let address = self.event.venue.address.as_str();
        (!address.is_empty() && !self.place.contains(address)).then_some(address)
    }

    fn eyebrow(&self) -> &str {
        if self.event.series.is_empty() { &self.event.organizer } else { &self.event.series }
    }
}
