//! Freeing: a booking is cancelled, its tickets can be had again, its intents are undone.

use jiff::Timestamp;
use sqlx::PgTransaction;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::outbox::{self, Job};
use super::{attempts, claims, fan_limits, tickets};
use crate::app::App;
use crate::error::Result;
use crate::metrics::BOOKINGS;

/// Why a booking was cancelled, as the fan reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Expired,
    GivenUp,
    /// The payment was authorised when the tickets were gone.
    PaymentLost,
    /// The provider refused to take the authorised money.
    CaptureRefused,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::GivenUp => "given-up",
            Reason::PaymentLost => "payment-lost",
            Reason::CaptureRefused => "capture-refused",
        }
    }
}

/// Cancels a pending booking. False when it was not pending any more.
///
/// Freeing before the provider has undone the intents is safe: a later authorisation finds no claim, and
/// money is captured only after the decision.
pub async fn release(app: &App, booking_id: Uuid, reason: Reason) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let booking = match bookings::lock(&mut *tx, booking_id).await? {
        Some(booking) if booking.status == Status::Pending => booking,
        _ => return Ok(false),
    };
    free(&mut tx, &booking, reason, now).await?;
    tx.commit().await?;
    tell(app, &booking, reason).await?;
    Ok(true)
}

/// Undoes a sale whose money could not be taken. The capture job is finished after this transaction; done
/// once more, it finds the booking cancelled and asks for no money.
pub(super) async fn undo_sale(tx: &mut PgTransaction<'_>, booking: &Booking, now: Timestamp) -> Result<()> {
    claims::lock_tickets(&mut **tx, booking.booking_id).await?;
    tickets::give_back(&mut **tx, booking.booking_id).await?;
    free(tx, booking, Reason::CaptureRefused, now).await?;
    if let Some(intent_id) = &booking.intent_id {
        outbox::enqueue(&mut **tx, &Job::Void { intent_id: intent_id.clone() }, now).await?;
    }
    outbox::enqueue(&mut **tx, &Job::RefusalMail { booking_id: booking.booking_id }, now).await?;
    Ok(())
}

async fn free(tx: &mut PgTransaction<'_>, booking: &Booking, reason: Reason, now: Timestamp) -> Result<()> {
    claims::release(&mut **tx, booking.booking_id).await?;
    bookings::cancel(&mut **tx, booking.booking_id, reason.as_str()).await?;
    fan_limits::give_back(&mut **tx, &booking.drop_id, booking.user_id, booking.quantity).await?;
    let keep = booking.intent_id.as_deref();
    for intent_id in attempts::void_losers(&mut **tx, booking.booking_id, keep).await? {
        outbox::enqueue(&mut **tx, &Job::Void { intent_id }, now).await?;
    }
    Ok(())
}

/// After the commit: Redis learns it, too, if it can.
pub(super) async fn tell(app: &App, booking: &Booking, reason: Reason) -> Result<()> {
    metrics::counter!(BOOKINGS, "outcome" => reason.as_str()).increment(1);
    let ordinals = tickets::ordinals_of(&app.pool, booking.booking_id).await?;
    app.seats.holds.release(&app.redis, booking.event_id, booking.booking_id, &ordinals).await;
    Ok(())
}
