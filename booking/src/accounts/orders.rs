//! A fan's bookings as a list.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use crate::{
    catalogue::events::{self, Event},
    error::Result,
    purchase::bookings::{Booking, Status},
};

/// Bookings listed, the newest first.
const LISTED_MAX: i64 = 100;

/// One booking with what it is about.
pub(crate) struct Order {
    pub(crate) booking: Booking,
    pub(crate) event: Event,
    /// Labels in the layout's order.
    pub(crate) seats: Vec<String>,
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    booking: Booking,
    seats: Vec<String>,
}

/// The newest bookings of an account, at most [`LISTED_MAX`].
pub(crate) async fn orders(pool: &PgPool, user_id: Uuid) -> Result<Vec<Order>> {
    let rows = newest(pool, user_id).await?;
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.booking.event_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let loaded = events::load(pool, &ids).await?;
    let events: HashMap<Uuid, Event> = loaded.into_iter().map(|event| (event.event_id, event)).collect();
    let order = |row: Row| {
        let event = events.get(&row.booking.event_id)?.clone();
        Some(Order { booking: row.booking, event, seats: row.seats })
    };
    Ok(rows.into_iter().filter_map(order).collect())
}

async fn newest(pool: &PgPool, user_id: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT b.*, ARRAY(SELECT t.seat_number FROM claims c JOIN tickets t USING (ticket_id)
                           WHERE c.booking_id = b.booking_id ORDER BY t.ordinal) AS seats
         FROM bookings b WHERE b.user_id = $1
         ORDER BY b.booking_date DESC, b.booking_id DESC LIMIT $2",
    )
    .bind(user_id)
    .bind(LISTED_MAX)
    .fetch_all(pool)
    .await
}

impl Order {
    /// Whether the fan still has to do something, and can.
    pub(crate) fn waits_for_fan(&self, now: Timestamp) -> bool {
        self.booking.is_payable(now)
    }

    /// The tickets are the fan's.
    pub(crate) fn is_theirs(&self) -> bool {
        self.booking.status == Status::Completed
    }
}
