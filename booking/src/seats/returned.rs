//! Seats that come back: the hint in Redis learns whose they are first.

use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use crate::app::App;
use crate::error::Result;

/// After a booking was cancelled: its seats are free in Redis, too, if it can be told.
pub(crate) async fn tell(app: &App, event_id: Uuid, booking_id: Uuid) -> Result<()> {
    let (ordinals, returned_at) = of_booking(&app.pool, booking_id).await?;
    app.seats.holds.release(&app.redis, event_id, booking_id, &ordinals, returned_at).await;
    Ok(())
}

/// The ordinals of a booking's tickets, and since when they belong to the line first.
async fn of_booking(pool: &PgPool, booking_id: Uuid) -> sqlx::Result<(Vec<u32>, Option<Timestamp>)> {
    let rows: Vec<(i32, Option<jiff_sqlx::Timestamp>)> = sqlx::query_as(
        "SELECT t.ordinal, t.returned_at FROM claims c JOIN tickets t USING (ticket_id) WHERE c.booking_id = $1",
    )
    .bind(booking_id)
    .fetch_all(pool)
    .await?;
    let returned_at = rows.iter().filter_map(|(_, at)| Some((*at)?.to_jiff())).max();
    Ok((rows.into_iter().filter_map(|(ordinal, _)| u32::try_from(ordinal).ok()).collect(), returned_at))
}
