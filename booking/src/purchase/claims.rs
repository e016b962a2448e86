//! The claims table: at most one live claim per ticket, whatever the code does.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Claims the tickets for the booking, in ticket order, and says how many it got: a ticket with a live
/// claim is left out by the index `claims_one_live_per_ticket`. Fewer than asked means: roll back.
pub(crate) async fn hold(
    db: impl PgExecutor<'_>,
    booking_id: Uuid,
    ticket_ids: &[i64],
    now: Timestamp,
) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "INSERT INTO claims (booking_id, ticket_id, created_at)
         SELECT $1, ticket_id, $3 FROM unnest($2::bigint[]) AS wanted (ticket_id) ORDER BY ticket_id
         ON CONFLICT (ticket_id) WHERE state IN ('held', 'sold') DO NOTHING",
    )
    .bind(booking_id)
    .bind(ticket_ids)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Locks the booking's tickets in ticket order, the order in which checkout locks them.
pub(crate) async fn lock_tickets(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "SELECT FROM tickets WHERE ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1)
         ORDER BY ticket_id FOR UPDATE",
    )
    .bind(booking_id)
    .execute(db)
    .await?;
    Ok(())
}

/// Held → sold; how many there were.
pub(crate) async fn sell(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE claims SET state = 'sold' WHERE booking_id = $1 AND state = 'held'")
        .bind(booking_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Held or sold → released.
pub(crate) async fn release(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE claims SET state = 'released' WHERE booking_id = $1 AND state <> 'released'")
        .bind(booking_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
