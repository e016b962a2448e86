//! Forgets what nobody asks about any more, so that the tables of passing things do not grow for ever.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use super::idempotency;
use crate::app::App;

/// How long finished jobs and received webhooks are kept, for whoever has to explain a payment. The
/// provider stops repeating a webhook after three days.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long it is known when the provider was last asked about a booking: longer than anybody pauses.
const LOOKS_KEPT: Duration = Duration::from_secs(3_600);
/// Rows deleted in one statement.
const ROWS_MAX: i64 = 50_000;
/// Statements for one table in an hour, which is more than a day on sale leaves behind; what is left waits for the next.
const STATEMENTS_MAX: usize = 100;

/// Each takes a time before which, and how many rows at most.
mod statement {
    pub(super) const FINISHED_JOBS: &str = "DELETE FROM outbox WHERE outbox_id IN (
        SELECT outbox_id FROM outbox WHERE done_at < $1 ORDER BY outbox_id LIMIT $2)";
    pub(super) const WEBHOOKS: &str = "DELETE FROM webhook_events WHERE event_id IN (
        SELECT event_id FROM webhook_events WHERE received_at < $1 LIMIT $2)";
    /// Turns written for; the address went with the mail.
    pub(super) const TURN_MAILS: &str = "DELETE FROM turn_mails WHERE (drop_id, place) IN (
        SELECT drop_id, place FROM turn_mails WHERE queued_at < $1 LIMIT $2)";
    /// What was answered under keys that are as good as new again.
    pub(super) const ANSWERS: &str = "DELETE FROM idempotency WHERE (user_id, key) IN (
        SELECT user_id, key FROM idempotency WHERE created_at <= $1 LIMIT $2)";
    pub(super) const LOOKS: &str = "DELETE FROM provider_looks WHERE (asker, booking_id) IN (
        SELECT asker, booking_id FROM provider_looks WHERE free_at < $1 LIMIT $2)";
}

/// Deletes what there is.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    for (statement, kept) in [
        (statement::FINISHED_JOBS, KEPT),
        (statement::WEBHOOKS, KEPT),
        (statement::TURN_MAILS, KEPT),
        (statement::ANSWERS, idempotency::KEPT),
        (statement::LOOKS, LOOKS_KEPT),
    ] {
        delete(&app.pool, statement, now.saturating_sub(kept)?).await?;
    }
    Ok(())
}

/// Again and again until the statement finds less than it may delete.
async fn delete(pool: &PgPool, statement: &'static str, before: Timestamp) -> sqlx::Result<()> {
    for _ in 0..STATEMENTS_MAX {
        let done = sqlx::query(statement).bind(before.to_sqlx()).bind(ROWS_MAX).execute(pool).await?;
        if done.rows_affected() < ROWS_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(())
}
