//! What an event has to sell, as far as it does not change while it is on sale: its tickets, their
//! labels, and which of them are neighbours. Cached, because every checkout asks.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::hall::{Hall, Pool, Seat};
use crate::catalogue::layout::Layout;
use crate::error::{Error, Result};

/// Events kept at once; a stadium's takes about 10 MB.
const EVENTS_MAX: u64 = 64;
/// How long a change of the venue (a seat withdrawn, a price) may go unnoticed by the chooser. The
/// checkout transaction reads state and price again.
const FRESH: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Inventory {
    /// By ordinal; ordinals without a ticket are `None`.
    units: Vec<Option<Unit>>,
    by_label: HashMap<String, u32>,
    pub(crate) hall: Hall,
}

pub(crate) struct Unit {
    pub(crate) ticket_id: i64,
    pub(crate) label: String,
    pub(crate) pool: Pool,
}

impl Inventory {
    pub(crate) fn ordinal(&self, label: &str) -> Option<u32> {
        self.by_label.get(label).copied()
    }

    pub(crate) fn unit(&self, ordinal: u32) -> Option<&Unit> {
        self.units.get(ordinal as usize)?.as_ref()
    }

    /// Highest ordinal plus one.
    pub(crate) fn len(&self) -> usize {
        self.units.len()
    }

    /// By ordinal; a number without a ticket is nobody's.
    pub(crate) fn free(&self, is_taken: impl Fn(u32) -> bool) -> Vec<bool> {
        self.units.iter().zip(0..).map(|(unit, ordinal)| unit.is_some() && !is_taken(ordinal)).collect()
    }

    pub(crate) fn labels(&self, ordinals: &[u32]) -> Vec<String> {
        ordinals.iter().filter_map(|&ordinal| Some(self.unit(ordinal)?.label.clone())).collect()
    }

    pub(crate) fn ticket_ids(&self, ordinals: &[u32]) -> Vec<i64> {
        ordinals.iter().filter_map(|&ordinal| Some(self.unit(ordinal)?.ticket_id)).collect()
    }
}

#[cfg(test)]
impl Inventory {
    /// So many seats in one row.
    pub(crate) fn of_one_row(seats: u32) -> Self {
        let seat = |ordinal| Seat { ordinal, tier: String::new(), price: 1, pool: Pool::Open, distance: ordinal };
        let hall = Hall::new(true, vec![(String::new(), (0..seats).map(seat).collect())]);
        let unit =
            |ordinal: u32| Some(Unit { ticket_id: i64::from(ordinal), label: ordinal.to_string(), pool: Pool::Open });
        Inventory { units: (0..seats).map(unit).collect(), by_label: HashMap::new(), hall }
    }
}

/// The inventories of the events on sale.
pub(crate) struct Inventories(moka::future::Cache<Uuid, Arc<Inventory>>);

impl Inventories {
    pub(crate) fn new() -> Self {
        Inventories(moka::future::Cache::builder().max_capacity(EVENTS_MAX).time_to_live(FRESH).build())
    }

    /// Loaded once however many ask at the same time.
    pub(crate) async fn of(&self, pool: &PgPool, event_id: Uuid) -> Result<Arc<Inventory>> {
        let loading = async { Ok(Arc::new(load(pool, event_id).await?)) };
        self.0.try_get_with(event_id, loading).await.map_err(|error: Arc<sqlx::Error>| {
            if shared::postgres::is_unavailable(&error) {
                Error::Unavailable(error.into())
            } else {
                Error::Internal(error.into())
            }
        })
    }

    /// Loaded again, because what is remembered has proved wrong.
    pub(crate) async fn anew(&self, pool: &PgPool, event_id: Uuid) -> Result<Arc<Inventory>> {
        self.0.invalidate(&event_id).await;
        self.of(pool, event_id).await
    }
}

#[derive(FromRow)]
struct Ticket {
    ticket_id: i64,
    seat_number: String,
    ordinal: i32,
    tier: String,
    zone: String,
    price: i64,
    pool: String,
}

async fn load(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Inventory> {
    let tickets = tickets(pool, event_id).await?;
    let layout = layout(pool, event_id).await?.and_then(|body| {
        // our own canonical bytes: unreadable ones cost adjacency, not the sale
        Layout::parse(&body).inspect_err(|error| tracing::error!(%event_id, %error, "layout")).ok()
    });
    let hall = Hall::new(layout.is_some(), rows(&tickets, layout.as_ref()));
    let mut units = Vec::new();
    let mut by_label = HashMap::with_capacity(tickets.len());
    for ticket in tickets {
        let Ok(ordinal) = u32::try_from(ticket.ordinal) else { continue };
        units.resize_with(units.len().max(ordinal as usize + 1), || None);
        by_label.insert(ticket.seat_number.clone(), ordinal);
        units[ordinal as usize] =
            Some(Unit { ticket_id: ticket.ticket_id, label: ticket.seat_number, pool: Pool::parse(&ticket.pool) });
    }
    Ok(Inventory { units, by_label, hall })
}

async fn tickets(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Vec<Ticket>> {
    sqlx::query_as(
        "SELECT ticket_id, seat_number, ordinal, tier, zone, price, pool FROM tickets
         WHERE event_id = $1 ORDER BY ordinal",
    )
    .bind(event_id)
    .fetch_all(pool)
    .await
}

async fn layout(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT l.body FROM events e JOIN layouts l ON l.hash = e.layout_hash WHERE e.event_id = $1")
        .bind(event_id)
        .fetch_optional(pool)
        .await
}

/// Rows with their zones, in the layout's order; a seat without a ticket ends a run. Without a layout (general
/// admission) all units of a kind are one row: they have no neighbours to respect.
fn rows(tickets: &[Ticket], layout: Option<&Layout>) -> Vec<(String, Vec<Seat>)> {
    let spots: BTreeMap<usize, &Ticket> =
        tickets.iter().filter_map(|ticket| Some((usize::try_from(ticket.ordinal).ok()?, ticket))).collect();
    if let Some(layout) = layout {
        return layout.runs().into_iter().flat_map(|run| seated(run, &spots, layout)).collect();
    }
    let mut units: Vec<&Ticket> = spots.into_values().collect();
    units.sort_by_key(|ticket| kind(ticket)); // stable: units stay in order
    units.chunk_by(|one, next| kind(one) == kind(next)).map(|units| row(units, None)).collect()
}

fn kind(ticket: &Ticket) -> (&str, &str, i64, &str) {
    (&ticket.zone, &ticket.tier, ticket.price, &ticket.pool)
}

fn seated(run: Range<usize>, spots: &BTreeMap<usize, &Ticket>, layout: &Layout) -> Vec<(String, Vec<Seat>)> {
    let tickets: Vec<&Ticket> = spots.range(run).map(|(_, ticket)| *ticket).collect();
    tickets.chunk_by(|one, next| one.ordinal + 1 == next.ordinal).map(|part| row(part, Some(layout))).collect()
}

fn row(tickets: &[&Ticket], layout: Option<&Layout>) -> (String, Vec<Seat>) {
    let seat = |ticket: &&Ticket| {
        let ordinal = u32::try_from(ticket.ordinal).ok()?;
        let place = layout.and_then(|layout| layout.seats.get(ordinal as usize));
        let distance = place.map_or(0, |seat| centimetres(seat.x.hypot(seat.y)));
        let pool = Pool::parse(&ticket.pool);
        Some(Seat { ordinal, tier: ticket.tier.clone(), price: ticket.price, pool, distance })
    };
    let zone = tickets.first().map(|ticket| ticket.zone.clone()).unwrap_or_default();
    (zone, tickets.iter().filter_map(seat).collect())
}

/// A layout's coordinates are bounded, and finite.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn centimetres(metres: f64) -> u32 {
    (metres * 100.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(ordinal: i32, label: &str) -> Ticket {
        Ticket {
            ticket_id: i64::from(ordinal),
            seat_number: label.to_owned(),
            ordinal,
            tier: "t".to_owned(),
            zone: "z".to_owned(),
            price: 100,
            pool: "open".to_owned(),
        }
    }

    fn shape(rows: &[(String, Vec<Seat>)]) -> Vec<Vec<u32>> {
        rows.iter().map(|(_, seats)| seats.iter().map(|seat| seat.ordinal).collect()).collect()
    }

    #[test]
    fn rows_are_the_layouts_and_a_missing_ticket_ends_one() {
        let seat = |label: &str, row: &str| serde_json::json!({ "seat": label, "zone": "z", "row": row, "number": 1, "tier": "t", "x": 3, "y": 4 });
        let plan = serde_json::json!({
            "seats": [seat("A-1", "A"), seat("A-2", "A"), seat("A-3", "A"), seat("A-4", "A"), seat("B-1", "B")],
            "tiers": [{ "tier": "t", "name": "T" }], "zones": [{ "zone": "z", "name": "Z" }],
        });
        let layout = Layout::parse(&plan.to_string()).unwrap();
        let tickets = [ticket(0, "A-1"), ticket(1, "A-2"), ticket(3, "A-4"), ticket(4, "B-1")];
        assert_eq!(shape(&rows(&tickets, Some(&layout))), [vec![0, 1], vec![3], vec![4]]);
        assert_eq!(rows(&tickets, Some(&layout))[0].1[0].distance, 500);
    }

    #[test]
    fn units_without_a_layout_are_one_row() {
        assert_eq!(shape(&rows(&[ticket(0, "GA-1"), ticket(1, "GA-2")], None)), [vec![0, 1]]);
    }
}
