//! The books the judge reads for itself: the database, the provider's list and, where there is one at hand, the
//! file in which the sandbox has written down every step it ever took.

pub(crate) mod database;
pub(crate) mod ledger;
pub(crate) mod provider;

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use uuid::Uuid;

pub(crate) use database::Database;
pub(crate) use ledger::Ledger;
pub(crate) use provider::Provider;

/// All books at one moment after the evening.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub drop: DropRow,
    /// What the drop's events are called.
    pub event_names: Vec<String>,
    /// Of the drop's events.
    pub tickets: Vec<TicketRow>,
    /// Of all drops: a payment may belong to any of them.
    pub bookings: HashMap<Uuid, BookingRow>,
    /// On the tickets of the drop's events, whatever their state.
    pub claims: Vec<ClaimRow>,
    pub intents: Vec<Intent>,
    /// The sandbox's own, when its file is at hand.
    pub ledger: Option<Ledger>,
    /// Outbox rows that are not done.
    pub outbox_undone: Vec<OutboxRow>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DropRow {
    pub drop_id: String,
    pub state: String,
    pub rate_per_minute: u32,
    pub claim_window_s: u32,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct TicketRow {
    pub ticket_id: i64,
    pub event_id: Uuid,
    pub user_id: Option<Uuid>,
    pub booking_id: Option<Uuid>,
    pub seat_number: String,
    pub price: i64,
    pub status: String,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct BookingRow {
    pub booking_id: Uuid,
    pub drop_id: String,
    pub user_id: Uuid,
    pub total_amount: i64,
    /// The part of it that is not the tickets' prices.
    pub fees: i64,
    pub currency: String,
    pub quantity: i32,
    pub status: String,
    pub intent_id: Option<String>,
    pub captured: bool,
    /// On the database's clock, in microseconds since 1970.
    pub completed_at_us: Option<i64>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ClaimRow {
    pub booking_id: Uuid,
    pub ticket_id: i64,
    pub state: String,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct OutboxRow {
    pub outbox_id: i64,
    pub kind: String,
    pub attempts: i32,
    pub last_error: Option<String>,
}

/// A payment intent, as the provider tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    pub id: String,
    pub status: String,
    /// Minor units.
    pub amount_received: i64,
    pub amount_refunded: i64,
    pub currency: String,
    pub booking_id: Option<Uuid>,
}

impl Intent {
    /// Neither paid nor given up.
    pub(crate) fn is_open(&self) -> bool {
        !["succeeded", "canceled"].contains(&self.status.as_str())
    }
}

impl BookingRow {
    pub(crate) fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}

impl Books {
    /// Reads all, the database's part from one snapshot.
    pub(crate) async fn read(database: &mut Database, provider: &Provider, drop: &str) -> anyhow::Result<Self> {
        database.begin_reading().await?;
        let drop_row = database.drop_row(drop).await?;
        let books = Self {
            drop: drop_row.with_context(|| format!("the drop {drop:?} is gone"))?,
            event_names: database.event_names(drop).await?,
            tickets: database.tickets(drop).await?,
            bookings: database.bookings().await?.into_iter().map(|booking| (booking.booking_id, booking)).collect(),
            claims: database.claims(drop).await?,
            outbox_undone: database.outbox_undone().await?,
            intents: Vec::new(),
            ledger: None,
        };
        database.end_reading().await?;
        // the list first: what is written down in between is in the file only, and would look like a difference
        let (intents, ledger) = (provider.intents().await?, provider.ledger()?);
        Ok(Self { intents, ledger, ..books })
    }

    /// The completed bookings of this drop.
    pub(crate) fn completed(&self) -> impl Iterator<Item = &BookingRow> {
        self.bookings.values().filter(|booking| booking.is_completed() && booking.drop_id == self.drop.drop_id)
    }

    /// The intents for bookings of this drop.
    pub(crate) fn intents_of_drop(&self) -> impl Iterator<Item = &Intent> {
        self.intents.iter().filter(|intent| {
            let booking = intent.booking_id.and_then(|id| self.bookings.get(&id));
            booking.is_some_and(|booking| booking.drop_id == self.drop.drop_id)
        })
    }

    /// Tickets that are or were for sale.
    pub(crate) fn capacity(&self) -> usize {
        let withdrawn = |ticket: &&TicketRow| ticket.status != "cancelled";
        self.tickets.iter().filter(withdrawn).count()
    }

    pub(crate) fn sold(&self) -> usize {
        let sold = |ticket: &&TicketRow| ticket.status == "purchased";
        self.tickets.iter().filter(sold).count()
    }

    /// Tickets for sale that nobody ever held, not for a moment.
    pub(crate) fn never_held(&self) -> usize {
        let held: HashSet<i64> = self.claims.iter().map(|claim| claim.ticket_id).collect();
        self.tickets.iter().filter(|ticket| ticket.status == "available" && !held.contains(&ticket.ticket_id)).count()
    }
}
