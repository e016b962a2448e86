//! How many tickets of an event are left: counted from tickets and claims, never indexed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{error::Error, fresh::Fresh};

/// Tickets of one event. Withdrawn ones count nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Availability {
    pub capacity: u64,
    pub available: u64,
    /// In somebody's unpaid booking.
    pub held: u64,
    pub sold: u64,
    #[serde(skip)]
    pub tiers: Vec<TierAvailability>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierAvailability {
    pub tier: String,
    /// The lowest price in minor units, should tickets of the tier differ.
    pub price: i64,
    pub capacity: u64,
    pub available: u64,
}

/// Counts of this process, at most a moment old.
pub struct Availabilities {
    by_event: Fresh<Uuid, Arc<Availability>>,
    with_tickets: Fresh<(), Arc<HashSet<Uuid>>>,
}

impl Availabilities {
    pub fn new(time_to_live: Duration) -> Self {
        Self { by_event: Fresh::new(time_to_live), with_tickets: Fresh::new(time_to_live) }
    }

    /// The tickets of an event; `None` when Postgres is away and nothing is known.
    pub async fn of(&self, pool: &PgPool, event_id: Uuid) -> Result<Option<Arc<Availability>>, Error> {
        match self.by_event.get(event_id, async { count(pool, event_id).await.map(Arc::new) }).await {
            Ok(counted) => Ok(Some(counted)),
            Err(error) if error.is_outage() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Events of which at least one ticket can be had.
    pub async fn events_available(&self, pool: &PgPool) -> Result<Arc<HashSet<Uuid>>, Error> {
        Ok(self.with_tickets.get((), async { available_events(pool).await.map(Arc::new) }).await?)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    tier: String,
    price: i64,
    capacity: i64,
    held: i64,
    sold: i64,
}

/// Counts the tickets of one event, dearest tier first.
pub async fn count(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Availability> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT t.tier, min(t.price) AS price, count(*) AS capacity,
                count(*) FILTER (WHERE t.status = 'purchased' OR c.state = 'sold') AS sold,
                count(*) FILTER (WHERE t.status = 'available' AND c.state = 'held') AS held
         FROM tickets t
         LEFT JOIN claims c ON c.ticket_id = t.ticket_id AND c.is_live
         WHERE t.event_id = $1 AND t.status <> 'cancelled'
         GROUP BY t.tier
         ORDER BY price DESC, t.tier",
    )
    .bind(event_id)
    .fetch_all(pool)
    .await?;
    let mut total = Availability::default();
    for row in rows {
        let [capacity, held, sold] = [row.capacity, row.held, row.sold].map(i64::unsigned_abs);
        let available = capacity.saturating_sub(held + sold);
        total.capacity += capacity;
        total.available += available;
        total.held += held;
        total.sold += sold;
        total.tiers.push(TierAvailability { tier: row.tier, price: row.price, capacity, available });
    }
    Ok(total)
}

async fn available_events(pool: &PgPool) -> sqlx::Result<HashSet<Uuid>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT e.event_id FROM events e
         WHERE EXISTS (
             SELECT 1 FROM tickets t
             WHERE t.event_id = e.event_id AND t.status = 'available'
               AND NOT EXISTS (
                   SELECT 1 FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live))",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().collect())
}
