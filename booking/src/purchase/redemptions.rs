//! The redemptions table: a place is used by one account, for good, and an account has one live place a drop.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Used up, or given up by admission's word.
pub(crate) async fn is_over(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM redemptions WHERE drop_id = $1 AND place = $2 AND ended_at IS NOT NULL)
             OR EXISTS (SELECT FROM ended_places WHERE drop_id = $1 AND place = $2)",
    )
    .bind(drop_id)
    .bind(place)
    .fetch_one(db)
    .await
}

/// The place that keeps the account from using this one.
pub(crate) async fn other_live(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    user_id: Uuid,
    place: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT place FROM redemptions WHERE drop_id = $1 AND user_id = $2 AND place <> $3 AND ended_at IS NULL",
    )
    .bind(drop_id)
    .bind(user_id)
    .bind(place)
    .fetch_optional(db)
    .await
}

/// The place is over; false when it has an open booking, which counts on.
pub(crate) async fn end_idle(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    place: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE redemptions r SET ended_at = $3
         WHERE drop_id = $1 AND place = $2 AND ended_at IS NULL
           AND NOT EXISTS (SELECT FROM bookings b
                           WHERE b.drop_id = r.drop_id AND b.place = r.place AND b.status = 'pending')",
    )
    .bind(drop_id)
    .bind(place)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The place has bought: its token is worth nothing any more.
pub(crate) async fn end(db: impl PgExecutor<'_>, drop_id: &str, place: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE redemptions SET ended_at = $3 WHERE drop_id = $1 AND place = $2 AND ended_at IS NULL")
        .bind(drop_id)
        .bind(place)
        .bind(now.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}

/// Nobody makes a booking of the place until the transaction ends.
pub(crate) async fn lock(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT FROM redemptions WHERE drop_id = $1 AND place = $2 FOR UPDATE")
        .bind(drop_id)
        .bind(place)
        .execute(db)
        .await?;
    Ok(())
}
