//! Forgets what nobody asks about any more, so that the tables of passing things do not grow for ever.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgExecutor;

use super::idempotency;
use crate::app::App;

/// How long finished jobs and received webhooks are kept, for whoever has to explain a payment. The
/// provider stops repeating a webhook after three days.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Rows deleted in one statement; the rest waits for the next hour.
const ROWS_MAX: i64 = 50_000;

/// Deletes once.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    let before = app.clock.now().saturating_sub(KEPT)?;
    finished_jobs(&app.pool, before).await?;
    webhooks(&app.pool, before).await?;
    turn_mails(&app.pool, before).await?;
    answers(&app.pool, app.clock.now().saturating_sub(idempotency::KEPT)?).await?;
    Ok(())
}

/// Turns written for; the address went with the mail.
async fn turn_mails(db: impl PgExecutor<'_>, before: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM turn_mails WHERE (drop_id, place) IN (
             SELECT drop_id, place FROM turn_mails WHERE queued_at < $1 LIMIT $2)",
    )
    .bind(before.to_sqlx())
    .bind(ROWS_MAX)
    .execute(db)
    .await?;
    Ok(())
}

async fn finished_jobs(db: impl PgExecutor<'_>, before: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM outbox WHERE outbox_id IN (
             SELECT outbox_id FROM outbox WHERE done_at < $1 ORDER BY outbox_id LIMIT $2)",
    )
    .bind(before.to_sqlx())
    .bind(ROWS_MAX)
    .execute(db)
    .await?;
    Ok(())
}

/// What was answered under keys that are as good as new again.
async fn answers(db: impl PgExecutor<'_>, before: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM idempotency WHERE (user_id, key) IN (
             SELECT user_id, key FROM idempotency WHERE created_at <= $1 LIMIT $2)",
    )
    .bind(before.to_sqlx())
    .bind(ROWS_MAX)
    .execute(db)
    .await?;
    Ok(())
}

async fn webhooks(db: impl PgExecutor<'_>, before: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM webhook_events WHERE event_id IN (
             SELECT event_id FROM webhook_events WHERE received_at < $1 LIMIT $2)",
    )
    .bind(before.to_sqlx())
    .bind(ROWS_MAX)
    .execute(db)
    .await?;
    Ok(())
}
