//! The payment_attempts table: each attempt's id is the provider's idempotency key, stored before the call.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor, PgPool};
use uuid::Uuid;

use super::outbox::{self, Job};
use crate::error::Result;

#[derive(Clone, Debug, FromRow)]
pub(crate) struct Attempt {
    pub(crate) attempt_id: Uuid,
    pub(crate) intent_id: Option<String>,
    /// Lets the fan's browser confirm this one intent.
    pub(crate) client_secret: Option<String>,
}

/// False when the booking takes no new attempt: it was given up, is expiring or decided about.
pub(crate) async fn insert(
    db: impl PgExecutor<'_>,
    attempt_id: Uuid,
    booking_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO payment_attempts (attempt_id, booking_id, created_at)
         SELECT $1, booking_id, $3 FROM bookings
         WHERE booking_id = $2 AND status = 'pending' AND phase = 'open' FOR SHARE",
    )
    .bind(attempt_id)
    .bind(booking_id)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The attempt the fan pays with: the newest that was not given up.
pub(crate) async fn current(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Option<Attempt>> {
    sqlx::query_as(
        "SELECT attempt_id, intent_id, client_secret FROM payment_attempts
         WHERE booking_id = $1 AND status <> 'void' ORDER BY created_at DESC, attempt_id LIMIT 1",
    )
    .bind(booking_id)
    .fetch_optional(db)
    .await
}

/// An intent that may still have money.
#[derive(Debug, FromRow)]
pub(crate) struct MaybePaid {
    pub(crate) intent_id: String,
    /// The fan pays with another one, or with none any more.
    pub(crate) is_void: bool,
}

/// The intents of the booking that may still have money, newest first, given up or not.
pub(crate) async fn intents_of(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<MaybePaid>> {
    sqlx::query_as(
        "SELECT intent_id, status = 'void' AS is_void FROM payment_attempts
         WHERE booking_id = $1 AND intent_id IS NOT NULL AND undone_at IS NULL
         ORDER BY created_at DESC, attempt_id",
    )
    .bind(booking_id)
    .fetch_all(db)
    .await
}

/// Those that the provider has not given up, as far as we know: newest first.
pub(crate) async fn live_intents_of(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT intent_id FROM payment_attempts
         WHERE booking_id = $1 AND intent_id IS NOT NULL AND status <> 'void' ORDER BY created_at DESC, attempt_id",
    )
    .bind(booking_id)
    .fetch_all(db)
    .await
}

/// Stores what the provider made of the attempt; false when the attempt was given up meanwhile.
pub(crate) async fn created(
    db: impl PgExecutor<'_>,
    attempt_id: Uuid,
    intent_id: &str,
    client_secret: Option<&str>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "UPDATE payment_attempts
         SET intent_id = $2, client_secret = $3, status = CASE status WHEN 'creating' THEN 'created' ELSE status END
         WHERE attempt_id = $1 RETURNING status <> 'void'",
    )
    .bind(attempt_id)
    .bind(intent_id)
    .bind(client_secret)
    .fetch_one(db)
    .await
}

/// Whose booking an intent pays for: our own record, not what a payload says.
pub(crate) async fn booking_of_intent(db: impl PgExecutor<'_>, intent_id: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("SELECT booking_id FROM payment_attempts WHERE intent_id = $1")
        .bind(intent_id)
        .fetch_optional(db)
        .await
}

/// How long a cancellation at the provider may be under way: longer than any worker takes for one job.
pub(crate) const VOIDING: Duration = Duration::from_secs(60);

/// A cancelled booking's intent wins after all. False while the provider may be cancelling it, or once the money was
/// given back.
pub(crate) async fn won_late(db: impl PgExecutor<'_>, intent_id: &str, now: Timestamp) -> Result<bool> {
    let since = now.saturating_sub(VOIDING).map_err(anyhow::Error::from)?;
    let done = sqlx::query(
        "UPDATE payment_attempts SET status = 'won', voiding_at = NULL, late_money_at = NULL
         WHERE intent_id = $1 AND undone_at IS NULL AND refunding_at IS NULL
           AND (voiding_at IS NULL OR voiding_at <= $2)",
    )
    .bind(intent_id)
    .bind(since.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The provider is about to be asked to cancel the intent. `late`: it has money that came too late.
pub(crate) async fn voiding(db: impl PgExecutor<'_>, intent_id: &str, late: bool, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE payment_attempts SET voiding_at = $2, late_money_at = CASE WHEN $3 THEN $2 ELSE late_money_at END
         WHERE intent_id = $1",
    )
    .bind(intent_id)
    .bind(now.to_sqlx())
    .bind(late)
    .execute(db)
    .await?;
    Ok(())
}

/// The provider has said that it did not carry out the cancellation begun at `begun`: what it says next time counts.
pub(crate) async fn not_voided(db: impl PgExecutor<'_>, intent_id: &str, begun: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE payment_attempts SET voiding_at = NULL WHERE intent_id = $1 AND voiding_at = $2")
        .bind(intent_id)
        .bind(begun.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}

/// Whether a cancellation may be under way whose outcome nobody knows.
pub(crate) async fn is_voiding(db: impl PgExecutor<'_>, intent_id: &str, now: Timestamp) -> Result<bool> {
    let since = now.saturating_sub(VOIDING).map_err(anyhow::Error::from)?;
    let is_voiding: Option<bool> = sqlx::query_scalar(
        "SELECT undone_at IS NULL AND refunding_at IS NULL AND COALESCE(voiding_at > $2, false)
         FROM payment_attempts WHERE intent_id = $1",
    )
    .bind(intent_id)
    .bind(since.to_sqlx())
    .fetch_optional(db)
    .await?;
    Ok(is_voiding.unwrap_or(false))
}

/// The provider is about to be asked to give the money back.
pub(crate) async fn refunding(db: impl PgExecutor<'_>, intent_id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE payment_attempts SET refunding_at = $2 WHERE intent_id = $1")
        .bind(intent_id)
        .bind(now.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}

/// Cancelled or refunded: the intent will never be paid again. Who paid too late is written to, once.
pub(crate) async fn undone(pool: &PgPool, intent_id: &str, now: Timestamp) -> Result<()> {
    let mut tx = pool.begin().await?;
    let undone: Option<(Uuid, bool)> = sqlx::query_as(
        "UPDATE payment_attempts SET status = 'void', undone_at = $2 WHERE intent_id = $1 AND undone_at IS NULL
         RETURNING booking_id, late_money_at IS NOT NULL",
    )
    .bind(intent_id)
    .bind(now.to_sqlx())
    .fetch_optional(&mut *tx)
    .await?;
    if let Some((booking_id, true)) = undone {
        outbox::enqueue(&mut *tx, &Job::LateMail { booking_id }, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// How long every answer to a capture must have been a refusal before that is believed: a moment after an intent was
/// made, or with the keys of another account, the provider refuses those that have money.
const REFUSED: Duration = Duration::from_secs(1_800);

/// The provider refuses to take the intent's money, or does not know the intent: whether that is certain by now.
pub(crate) async fn refused(db: impl PgExecutor<'_>, intent_id: &str, now: Timestamp) -> Result<bool> {
    let long_ago = now.saturating_sub(REFUSED).map_err(anyhow::Error::from)?;
    let is_certain: Option<bool> = sqlx::query_scalar(
        "UPDATE payment_attempts SET refused_since = COALESCE(refused_since, $2) WHERE intent_id = $1
         RETURNING refused_since <= $3",
    )
    .bind(intent_id)
    .bind(now.to_sqlx())
    .bind(long_ago.to_sqlx())
    .fetch_optional(db)
    .await?;
    Ok(is_certain.unwrap_or(false))
}

/// The provider has answered something else, or nothing: what it refused before counts no more.
pub(crate) async fn not_refused(db: impl PgExecutor<'_>, intent_id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE payment_attempts SET refused_since = NULL WHERE intent_id = $1")
        .bind(intent_id)
        .execute(db)
        .await?;
    Ok(())
}

/// The fan pays with another one. False when that was decided before.
pub(crate) async fn give_up(db: impl PgExecutor<'_>, intent_id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE payment_attempts SET status = 'void' WHERE intent_id = $1 AND status = 'created'")
        .bind(intent_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives up every attempt of the booking except the winner's; the intents that must be undone at the provider yet.
pub(crate) async fn void_losers(
    db: impl PgExecutor<'_>,
    booking_id: Uuid,
    winner: Option<&str>,
) -> sqlx::Result<Vec<String>> {
    let voided: Vec<Option<String>> = sqlx::query_scalar(
        "UPDATE payment_attempts SET status = 'void'
         WHERE booking_id = $1 AND status <> 'void' AND ($2::text IS NULL OR intent_id IS DISTINCT FROM $2)
         RETURNING intent_id",
    )
    .bind(booking_id)
    .bind(winner)
    .fetch_all(db)
    .await?;
    Ok(voided.into_iter().flatten().collect())
}

/// The provider failed to make an intent of this attempt.
pub(crate) async fn void_uncreated(db: impl PgExecutor<'_>, attempt_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("UPDATE payment_attempts SET status = 'void' WHERE attempt_id = $1 AND status = 'creating'")
        .bind(attempt_id)
        .execute(db)
        .await?;
    Ok(())
}
