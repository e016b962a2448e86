//! How a sale stands for somebody who looks at it, and an event on a card.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{Timestamp, ToSpan as _, civil, tz::TimeZone};

use super::words::{self, When};
use crate::{
    app::App,
    catalogue::{availability::Availability, details::DropSummary, events::Event, on_sale::OnSale},
    error::Error,
};

/// Events whose tickets are counted at the same time for one page.
const COUNTING_MAX: usize = 4;

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The day is over.
    Past,
    /// No drop sells it.
    NotOnSale,
    Ended,
    /// Every ticket is somebody's.
    SoldOut,
    Paused,
    /// The lobby is open; without a time, an operator opens the sale.
    Before(Option<Timestamp>),
    Open,
}

impl Stand {
    pub(crate) fn of(
        event: &Event,
        drop: Option<&DropSummary>,
        availability: Option<&Availability>,
        now: Timestamp,
    ) -> Self {
        let Some(drop) = drop else { return if is_past(event, now) { Stand::Past } else { Stand::NotOnSale } };
        match drop.state.as_str() {
            _ if is_past(event, now) => Stand::Past,
            "ended" => Stand::Ended,
            _ if availability.is_some_and(is_sold_out) => Stand::SoldOut,
            "paused" => Stand::Paused,
            "scheduled" if drop.opens_at.is_none_or(|at| at > now) => Stand::Before(drop.opens_at),
            _ => Stand::Open,
        }
    }

    /// A fan may get into the line or its lobby.
    pub(crate) fn takes_fans(self) -> bool {
        matches!(self, Stand::Paused | Stand::Before(_) | Stand::Open)
    }

    fn badge(self, now: Timestamp) -> Badge {
        let (tone, words) = match self {
            Stand::Past => ("neutral", "Over".to_owned()),
            Stand::NotOnSale => ("neutral", "Not on sale".to_owned()),
            Stand::Ended => ("neutral", "Sale ended".to_owned()),
            Stand::SoldOut => ("neutral", "Sold out".to_owned()),
            Stand::Paused => ("warn", "Paused".to_owned()),
            Stand::Before(Some(at)) => ("info", format!("Opens in {}", words::wait(now.duration_until(at).as_secs()))),
            Stand::Before(None) => ("info", "Opens soon".to_owned()),
            Stand::Open => ("good", "On sale".to_owned()),
        };
        Badge { tone, words }
    }
}

/// Held tickets may come back: they are not sold out.
fn is_sold_out(counted: &Availability) -> bool {
    counted.available == 0 && counted.held == 0
}

/// The first day of which events may not be over: a day more, because the day is another one elsewhere.
pub(crate) fn since(now: Timestamp) -> civil::Date {
    now.to_zoned(TimeZone::UTC).date().saturating_sub(1.day())
}

/// Whether the event's day is over at the venue.
pub(crate) fn is_past(event: &Event, now: Timestamp) -> bool {
    let zone = event.venue.timezone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    event.date < now.to_zoned(zone).date()
}

/// A word on a colour; `tone` is the style sheet's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) tone: &'static str,
    pub(crate) words: String,
}

/// What is said of an event in a list.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) when: When,
    /// Venue and city.
    pub(crate) place: String,
    /// The lowest price of a ticket.
    pub(crate) price_from: Option<String>,
    /// `2,804 left`; nothing where it says nothing.
    pub(crate) left: Option<String>,
    pub(crate) badge: Option<Badge>,
    pub(crate) stand: Stand,
}

impl Card {
    /// A card for a page about sales: it always says how the sale stands.
    pub(crate) fn new(
        event: &Event,
        drop: Option<&DropSummary>,
        availability: Option<&Availability>,
        now: Timestamp,
    ) -> Self {
        let stand = Stand::of(event, drop, availability, now);
        Self { badge: Some(stand.badge(now)), ..Self::of(event, stand, availability) }
    }

    /// A card for a page that knows of no drops: it says only what the tickets say.
    pub(crate) fn of_found(event: &Event, availability: Option<&Availability>, now: Timestamp) -> Self {
        let stand = match availability {
            _ if is_past(event, now) => Stand::Past,
            Some(counted) if is_sold_out(counted) => Stand::SoldOut,
            _ => Stand::NotOnSale,
        };
        let badge = matches!(stand, Stand::SoldOut | Stand::Past).then(|| stand.badge(now));
        Self { badge, ..Self::of(event, stand, availability) }
    }

    fn of(event: &Event, stand: Stand, availability: Option<&Availability>) -> Self {
        let buyable = !matches!(stand, Stand::Past | Stand::Ended | Stand::SoldOut);
        let counted = availability.filter(|_| buyable);
        let lowest = counted.and_then(|counted| counted.tiers.iter().map(|tier| tier.price).min());
        Self {
            path: format!("/e/{}", event.event_id),
            name: event.name.clone(),
            when: words::when(event),
            place: place(event),
            price_from: lowest.map(|price| words::money(price, &event.currency)),
            left: counted.map(|counted| left(counted.available)),
            badge: None,
            stand,
        }
    }
}

/// Cards for a list, with the tickets counted a few events at a time.
pub(crate) async fn cards(app: &App, listed: impl Iterator<Item = &OnSale>) -> Result<Vec<Card>, Error> {
    let now = app.clock.now();
    let counting: Vec<_> = listed.map(|sale| card(app, sale, now)).collect();
    stream::iter(counting).buffered(COUNTING_MAX).try_collect().await
}

async fn card(app: &App, sale: &OnSale, now: Timestamp) -> Result<Card, Error> {
    let counted = app.availabilities.of(&app.pool, sale.event.event_id).await?;
    Ok(Card::new(&sale.event, Some(&sale.drop), counted.as_deref(), now))
}

/// Venue and city, the city only where the venue's name does not say it.
pub(crate) fn place(event: &Event) -> String {
    let venue = &event.venue;
    match venue.city.is_empty() || venue.name.contains(&venue.city) {
        true => venue.name.clone(),
        false => format!("{}, {}", venue.name, venue.city),
    }
}

/// `2,804 left`, in the words of every page.
pub(crate) fn left(available: u64) -> String {
    match available {
        0 => "None left".to_owned(),
        some => format!("{} left", words::grouped(some)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2027-03-12T03:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn event() -> Event {
        words::tests::event(civil::date(2027, 3, 12), None, Some("America/New_York"))
    }

    fn drop_in(state: &str, opens_at: Option<&str>) -> DropSummary {
        DropSummary {
            drop_id: "an-evening".to_owned(),
            title: "An evening".to_owned(),
            state: state.to_owned(),
            opens_at: opens_at.map(|at| at.parse().unwrap()),
            queue: "/queue/an-evening".to_owned(),
        }
    }

    fn stand(state: &str, opens_at: Option<&str>, available: u64, held: u64) -> Stand {
        let counted = Availability { capacity: 10, available, held, ..Availability::default() };
        Stand::of(&event(), Some(&drop_in(state, opens_at)), Some(&counted), now())
    }

    #[test]
    fn a_sale_stands_somewhere() {
        let later: Timestamp = "2027-03-12T03:00:01Z".parse().unwrap();
        assert_eq!(stand("scheduled", None, 10, 0), Stand::Before(None));
        assert_eq!(stand("scheduled", Some("2027-03-12T03:00:01Z"), 10, 0), Stand::Before(Some(later)));
        assert_eq!(stand("scheduled", Some(NOW), 10, 0), Stand::Open, "nobody has told us yet that it runs");
        assert_eq!(stand("running", Some(NOW), 10, 0), Stand::Open);
        assert_eq!(stand("paused", Some(NOW), 10, 0), Stand::Paused);
        assert_eq!(stand("ended", Some(NOW), 10, 0), Stand::Ended);
        assert_eq!(stand("running", Some(NOW), 0, 0), Stand::SoldOut);
        assert_eq!(stand("running", Some(NOW), 0, 1), Stand::Open, "a held seat may come back");
        assert_eq!(Stand::of(&event(), None, None, now()), Stand::NotOnSale);
    }

    #[test]
    fn a_day_ends_at_the_venue() {
        // in New York it is still the 11th
        let yesterday = Event { date: civil::date(2027, 3, 11), ..event() };
        assert!(!is_past(&yesterday, now()));
        assert!(is_past(&yesterday, "2027-03-12T06:00:00Z".parse().unwrap()));
        let running = drop_in("running", None);
        let later = "2027-03-13T12:00:00Z".parse().unwrap();
        assert_eq!(Stand::of(&event(), Some(&running), None, later), Stand::Past);
    }

    #[test]
    fn a_city_is_said_once() {
        let mut event = event();
        event.venue.city = "New York".to_owned();
        assert_eq!(place(&event), "Small Hall, New York");
        event.venue.name = "New York Hall".to_owned();
        assert_eq!(place(&event), "New York Hall");
    }
}
