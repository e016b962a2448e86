//! The claims table: at most one live claim per ticket, whatever the code does.

use sqlx::PgExecutor;
use uuid::Uuid;

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

/// Held or sold → released.
pub(crate) async fn release(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE claims SET state = 'released' WHERE booking_id = $1 AND state <> 'released'")
        .bind(booking_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Released → sold; how many there were. Violates `claims_one_live_per_ticket` when somebody else has one of the tickets.
pub(crate) async fn sell_again(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE claims SET state = 'sold' WHERE booking_id = $1 AND state = 'released'")
        .bind(booking_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
