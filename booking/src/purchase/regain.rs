//! A payment that arrives after its booking has expired: the fan gets exactly the very same tickets, if all of them are
//! still free.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgExecutor, PgPool, PgTransaction};
use uuid::Uuid;

use super::bookings::{self, Booking};
use super::outbox::{self, Job};
use super::{attempts, claims, fan_limits, redemptions, tickets};
use crate::error::Result;

/// How it ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Regained {
    /// Committed: sold; the outbox job that takes the money.
    Now { capture: i64 },
    /// Rolled back: not all of it can be had any more. The money goes back.
    Gone,
    /// Rolled back: the intent is being cancelled at this moment, or the money was given back.
    Undone,
}

/// Sells an expired booking's tickets to its fan, whose `intent_id` holds the whole price.
pub(crate) async fn regain(pool: &PgPool, booking_id: Uuid, intent_id: &str, now: Timestamp) -> Result<Regained> {
    let mut tx = pool.begin().await?;
    let booking = match bookings::lock(&mut *tx, booking_id).await? {
        Some(booking) if booking.has_expired() => booking,
        _ => return Ok(Regained::Gone),
    };
    // whoever makes another booking of this place has its row
    redemptions::lock(&mut *tx, &booking.drop_id, &booking.place).await?;
    if has_another(&mut *tx, &booking).await? || !take_back(&mut tx, &booking, now).await? {
        return Ok(Regained::Gone);
    }
    if !attempts::won_late(&mut *tx, intent_id, now).await? {
        return Ok(Regained::Undone);
    }
    complete(&mut *tx, booking_id, intent_id, now).await?;
    redemptions::end(&mut *tx, &booking.drop_id, &booking.place, now).await?;
    for other in attempts::void_losers(&mut *tx, booking_id, Some(intent_id)).await? {
        outbox::enqueue(&mut *tx, &Job::Void { intent_id: other }, now).await?;
    }
    let capture = Job::Capture { booking_id, intent_id: intent_id.to_owned() };
    let capture = outbox::enqueue(&mut *tx, &capture, now).await?;
    let end_place = Job::EndPlace { drop_id: booking.drop_id, place: booking.place };
    outbox::enqueue(&mut *tx, &end_place, now).await?;
    shared::crash::point("regain.deciding");
    tx.commit().await?;
    Ok(Regained::Now { capture })
}

/// All of its tickets and its part of the fan's limit, or false: then the transaction is to be given up.
async fn take_back(tx: &mut PgTransaction<'_>, booking: &Booking, now: Timestamp) -> Result<bool> {
    claims::lock_tickets(&mut **tx, booking.booking_id).await?;
    let claimed = match claims::sell_again(&mut **tx, booking.booking_id).await {
        Ok(claimed) => claimed,
        Err(error) if shared::postgres::constraint(&error) == Some("claims_one_live_per_ticket") => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let purchased = tickets::purchase(&mut **tx, booking.booking_id, booking.user_id, now).await?;
    if !booking.is_whole(claimed, purchased) {
        return Ok(false);
    }
    match fan_limits::take_again(&mut **tx, &booking.drop_id, booking.user_id, booking.quantity).await {
        Ok(()) => Ok(true),
        Err(error) if shared::postgres::constraint(&error) == Some("fan_limits_within") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The fan has gone on with the same place: a second set of seats is not what the late payment was for.
async fn has_another(db: impl PgExecutor<'_>, booking: &Booking) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM bookings WHERE drop_id = $1 AND place = $2 AND booking_id <> $3
                                               AND status IN ('pending', 'completed'))",
    )
    .bind(&booking.drop_id)
    .bind(&booking.place)
    .bind(booking.booking_id)
    .fetch_one(db)
    .await
}

async fn complete(db: impl PgExecutor<'_>, booking_id: Uuid, intent_id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE bookings SET status = 'completed', reason = NULL, completed_at = $3, intent_id = $2
         WHERE booking_id = $1 AND status = 'cancelled'",
    )
    .bind(booking_id)
    .bind(intent_id)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(())
}
