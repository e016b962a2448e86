//! Everything the books say about a booking, for whoever helps a fan.

use serde::Serialize;
use sqlx::{FromRow, PgExecutor, PgPool};
use uuid::Uuid;

use super::bookings;
use super::fees::{self, Fee};
use super::tickets::{self, Line};

/// A booking with its payments and its jobs.
#[derive(Debug, Serialize)]
pub struct Overview {
    booking_id: Uuid,
    event_id: Uuid,
    drop: String,
    status: &'static str,
    reason: Option<String>,
    tickets: Vec<Line>,
    fees: Vec<Fee>,
    /// Minor units.
    total: i64,
    currency: String,
    expires_at: jiff::Timestamp,
    completed_at: Option<jiff::Timestamp>,
    captured_at: Option<jiff::Timestamp>,
    payments: Vec<Payment>,
    /// Still to be done.
    jobs: Vec<Job>,
}

#[derive(Debug, Serialize, FromRow)]
struct Payment {
    intent: Option<String>,
    status: String,
    /// Whether it paid for the booking.
    won: bool,
    /// Cancelled or refunded at the provider.
    undone: bool,
}

#[derive(Debug, Serialize, FromRow)]
struct Job {
    kind: String,
    /// How often it was tried.
    tries: i32,
    last_error: Option<String>,
}

pub async fn of(pool: &PgPool, booking_id: Uuid) -> sqlx::Result<Option<Overview>> {
    let Some(booking) = bookings::find(pool, booking_id).await? else { return Ok(None) };
    Ok(Some(Overview {
        booking_id,
        event_id: booking.event_id,
        status: booking.status.as_str(),
        tickets: tickets::of_booking(pool, booking_id).await?,
        fees: fees::of_booking(pool, booking_id).await?,
        total: booking.total_amount,
        expires_at: booking.expires_at(),
        completed_at: booking.completed_at(),
        captured_at: booking.captured_at(),
        payments: payments(pool, booking_id).await?,
        jobs: jobs(pool, booking_id).await?,
        drop: booking.drop_id,
        reason: booking.reason,
        currency: booking.currency,
    }))
}

/// The drop it was bought in.
pub async fn drop_of(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT drop_id FROM bookings WHERE booking_id = $1").bind(booking_id).fetch_optional(db).await
}

async fn payments(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<Payment>> {
    sqlx::query_as(
        "SELECT a.intent_id AS intent, a.status, undone_at IS NOT NULL AS undone,
                COALESCE(a.intent_id = b.intent_id, false) AS won
         FROM payment_attempts a JOIN bookings b USING (booking_id) WHERE booking_id = $1 ORDER BY a.created_at",
    )
    .bind(booking_id)
    .fetch_all(db)
    .await
}

async fn jobs(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<Job>> {
    sqlx::query_as(
        "SELECT kind, attempts AS tries, last_error FROM outbox o
         WHERE done_at IS NULL
           AND (body ->> 'booking_id' = $1::text
                OR body ->> 'intent_id' IN (SELECT intent_id FROM payment_attempts WHERE booking_id = $1))
         ORDER BY outbox_id",
    )
    .bind(booking_id)
    .fetch_all(db)
    .await
}
