//! What our books say about the intents on a page of the provider's list, and what they say on their own.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use crate::payments::Intent;
use crate::purchase::bookings::{Booking, columns};

/// An attempt and its booking.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Known {
    pub(super) attempt_id: Uuid,
    /// `None` while nobody has written down what the provider made of it.
    #[sqlx(rename = "attempt_intent")]
    pub(super) intent_id: Option<String>,
    pub(super) is_void: bool,
    #[sqlx(flatten)]
    pub(super) booking: Booking,
}

/// Those of a page.
pub(super) struct Page {
    by_intent: HashMap<String, Known>,
    by_attempt: HashMap<Uuid, Known>,
}

impl Page {
    /// By our own record first, by the intent's word where there is none.
    pub(super) fn of(&self, intent: &Intent) -> Option<&Known> {
        self.by_intent.get(&intent.id).or_else(|| self.by_attempt.get(&intent.attempt_id()?))
    }
}

pub(super) async fn of(db: impl PgExecutor<'_>, intents: &[Intent]) -> sqlx::Result<Page> {
    let ids: Vec<&str> = intents.iter().map(|intent| intent.id.as_str()).collect();
    let attempts: Vec<Uuid> = intents.iter().filter_map(Intent::attempt_id).collect();
    let found: Vec<Known> = sqlx::query_as(concat!(
        "SELECT a.attempt_id, a.intent_id AS attempt_intent, a.status = 'void' AS is_void, b.*
             FROM payment_attempts a JOIN (SELECT ",
        columns!(),
        " FROM bookings) b USING (booking_id) WHERE a.intent_id = ANY($1) OR a.attempt_id = ANY($2)"
    ))
    .bind(&ids)
    .bind(&attempts)
    .fetch_all(db)
    .await?;
    let by_intent = found.iter().filter_map(|known| Some((known.intent_id.clone()?, known.clone()))).collect();
    Ok(Page { by_intent, by_attempt: found.into_iter().map(|known| (known.attempt_id, known)).collect() })
}

/// Sales before `until` whose money nobody is going to take: booking and intent.
pub(super) async fn uncaptured_without_job(
    db: impl PgExecutor<'_>,
    until: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, String)>> {
    sqlx::query_as(
        "SELECT booking_id, intent_id FROM bookings b
         WHERE status = 'completed' AND captured_at IS NULL AND completed_at <= $1 AND intent_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM outbox o WHERE o.done_at IS NULL AND o.kind NOT LIKE '%-mail' AND o.kind = 'capture'
                                                  AND o.body ->> 'booking_id' = b.booking_id::text)
         ORDER BY completed_at LIMIT $2",
    )
    .bind(until.to_sqlx())
    .bind(limit)
    .fetch_all(db)
    .await
}

/// Intents given up from `since` to `until` that nobody is going to undo at the provider.
pub(super) async fn void_without_job(
    db: impl PgExecutor<'_>,
    since: Timestamp,
    until: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT intent_id FROM payment_attempts a
         WHERE is_owed AND intent_id IS NOT NULL AND created_at BETWEEN $1 AND $2
           AND NOT EXISTS (SELECT FROM outbox o WHERE o.done_at IS NULL AND o.kind NOT LIKE '%-mail' AND o.kind = 'void'
                                                  AND o.body ->> 'intent_id' = a.intent_id)
         ORDER BY created_at LIMIT $3",
    )
    .bind(since.to_sqlx())
    .bind(until.to_sqlx())
    .bind(limit)
    .fetch_all(db)
    .await
}
