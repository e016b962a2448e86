//! The tickets table, as far as buying goes.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

/// What a booking lists.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
#[schema(as = BookedTicket)]
pub(crate) struct Line {
    pub(crate) ticket_id: i64,
    pub(crate) seat: String,
    /// Minor units.
    pub(crate) price: i64,
}

/// Available → purchased for every ticket the booking's claims have sold; how many there were.
pub(crate) async fn purchase(
    db: impl PgExecutor<'_>,
    booking_id: Uuid,
    user_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE tickets SET status = 'purchased', user_id = $2, booking_id = $1, purchase_date = $3
         WHERE status = 'available'
           AND ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1 AND state = 'sold')",
    )
    .bind(booking_id)
    .bind(user_id)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The sale is undone: purchased → available.
pub(crate) async fn give_back(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE tickets SET status = 'available', user_id = NULL, booking_id = NULL, purchase_date = NULL
         WHERE booking_id = $1 AND status = 'purchased'
           AND ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1)",
    )
    .bind(booking_id)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What the booking is or was about, in ticket order.
pub(crate) async fn of_booking(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<Line>> {
    sqlx::query_as(
        "SELECT t.ticket_id, t.seat_number AS seat, t.price FROM claims c JOIN tickets t USING (ticket_id)
         WHERE c.booking_id = $1 ORDER BY t.ordinal",
    )
    .bind(booking_id)
    .fetch_all(db)
    .await
}

/// The ordinals of a booking's tickets.
pub(crate) async fn ordinals_of(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<u32>> {
    let ordinals: Vec<i32> =
        sqlx::query_scalar("SELECT t.ordinal FROM claims c JOIN tickets t USING (ticket_id) WHERE c.booking_id = $1")
            .bind(booking_id)
            .fetch_all(db)
            .await?;
    Ok(ordinals.into_iter().filter_map(|ordinal| u32::try_from(ordinal).ok()).collect())
}

/// A booking's tickets can be had again: from `returned_at` on, where others wait for them in the line.
pub(crate) async fn come_back(
    db: impl PgExecutor<'_>,
    booking_id: Uuid,
    returned_at: Option<Timestamp>,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE tickets SET returned_at = $2
         WHERE ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1 AND state <> 'released')
           AND returned_at IS DISTINCT FROM $2",
    )
    .bind(booking_id)
    .bind(returned_at.map(|at| at.to_sqlx()))
    .execute(db)
    .await?;
    Ok(())
}
