//! The decision: held → sold and available → purchased for every ticket of a booking, or nothing.

use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::outbox::{self, Job};
use super::{attempts, claims, redemptions, tickets};
use crate::error::Result;

/// How a decision ended.
#[derive(Debug, PartialEq)]
pub enum Sold {
    /// Committed now; the outbox job that takes the money.
    Now { capture: i64 },
    /// Somebody decided before: the booking is not pending any more.
    Before,
    /// Rolled back: not every ticket was still the booking's.
    Lost,
}

/// Sells the booking's tickets to the fan whose `intent_id` is authorised.
pub async fn sell(pool: &PgPool, booking_id: Uuid, intent_id: &str, now: Timestamp) -> Result<Sold> {
    let mut tx = pool.begin().await?;
    let Some(booking) = bookings::lock(&mut *tx, booking_id).await? else { return Ok(Sold::Before) };
    if booking.status != Status::Pending {
        return Ok(Sold::Before);
    }
    redemptions::end(&mut *tx, &booking.drop_id, &booking.place, now).await?;
    claims::lock_tickets(&mut *tx, booking_id).await?;
    let sold = claims::sell(&mut *tx, booking_id).await?;
    let purchased = tickets::purchase(&mut *tx, booking_id, booking.user_id, now).await?;
    if !is_whole(&booking, sold, purchased) || !bookings::complete(&mut *tx, booking_id, intent_id, now).await? {
        tx.rollback().await?;
        return Ok(Sold::Lost);
    }
    attempts::won(&mut *tx, intent_id).await?;
    for other in attempts::void_losers(&mut *tx, booking_id, Some(intent_id)).await? {
        outbox::enqueue(&mut *tx, &Job::Void { intent_id: other }, now).await?;
    }
    let capture = Job::Capture { booking_id, intent_id: intent_id.to_owned() };
    let capture = outbox::enqueue(&mut *tx, &capture, now).await?;
    let end_place = Job::EndPlace { drop_id: booking.drop_id, place: booking.place };
    outbox::enqueue(&mut *tx, &end_place, now).await?;
    tx.commit().await?;
    Ok(Sold::Now { capture })
}

/// Money is taken for all tickets of the booking, so all of them must have changed hands.
fn is_whole(booking: &Booking, sold: u64, purchased: u64) -> bool {
    u64::try_from(booking.quantity).is_ok_and(|quantity| sold == quantity && purchased == quantity)
}
