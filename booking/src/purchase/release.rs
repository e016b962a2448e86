//! Freeing: a booking is cancelled, its tickets can be had again, its intents are undone.

use std::time::Duration;

use admission::ids::DropId;
use admission::line::Line;
use jiff::Timestamp;
use sqlx::PgTransaction;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::outbox::{self, Job};
use super::{attempts, claims, fan_limits, tickets};
use crate::app::App;
use crate::error::Result;
use crate::metrics::BOOKINGS;

/// How long the line may take to say whether anybody waits in it.
const LINE_BUDGET: Duration = Duration::from_millis(250);

/// Why a booking was cancelled, as the fan reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Expired,
    GivenUp,
    /// The payment was authorised in time, and a ticket had been withdrawn.
    PaymentLost,
    /// The provider refused to take the authorised money.
    CaptureRefused,
    /// Sold, and given back with the money.
    Refunded,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::GivenUp => "given-up",
            Reason::PaymentLost => "payment-lost",
            Reason::CaptureRefused => "capture-refused",
            Reason::Refunded => "refunded",
        }
    }
}

/// Cancels a pending booking. False when it was not pending any more.
///
/// Whoever calls has cancelled at the provider first ([`super::undo`]), or has waited for it up to the cap. Should an
/// authorisation come all the same, it finds no claim, and money is captured only after the decision.
pub async fn release(app: &App, booking_id: Uuid, reason: Reason) -> Result<bool> {
    let Some(booking) = bookings::find(&app.pool, booking_id).await? else { return Ok(false) };
    let returned = Returned::of(&app.line, &booking.drop_id, app.clock.now()).await;
    let mut tx = app.pool.begin().await?;
    let booking = match bookings::lock(&mut *tx, booking_id).await? {
        Some(booking) if booking.status == Status::Pending => booking,
        _ => return Ok(false),
    };
    claims::lock_tickets(&mut *tx, booking_id).await?;
    free(&mut tx, &booking, reason, returned).await?;
    shared::crash::point("release.deciding");
    tx.commit().await?;
    shared::crash::point("release.committed");
    tell(app, &booking, reason).await?;
    Ok(true)
}

/// When seats come back, and to whom they go: while others wait in the line, first to fans admitted after it.
#[derive(Clone, Copy, Debug)]
pub struct Returned {
    at: Timestamp,
    to_the_line: bool,
}

impl Returned {
    /// Asks the line, for a moment. No answer counts as a line.
    pub async fn of(line: &Line, drop_id: &str, now: Timestamp) -> Self {
        let counts = async {
            let drop = DropId::parse(drop_id)?;
            let (_, watched) = line.watch(&drop, None, false).await.ok()?;
            Some(watched.counts)
        };
        let counts = tokio::time::timeout(LINE_BUDGET, counts).await.ok().flatten();
        let nobody = counts.is_some_and(|counts| counts.waiting + counts.called + counts.claims + counts.lobby == 0);
        Self { at: now, to_the_line: !nobody }
    }

    /// For whoever cannot ask the line.
    pub fn to_the_line(now: Timestamp) -> Self {
        Self { at: now, to_the_line: true }
    }
}

/// Undoes a sale whose money could not be taken, or is given back. The capture job is finished after this transaction;
/// done once more, it finds the booking cancelled and asks for no money.
pub(super) async fn undo_sale(
    tx: &mut PgTransaction<'_>,
    booking: &Booking,
    reason: Reason,
    returned: Returned,
) -> Result<()> {
    claims::lock_tickets(&mut **tx, booking.booking_id).await?;
    tickets::give_back(&mut **tx, booking.booking_id).await?;
    free(tx, booking, reason, returned).await?;
    let booking_id = booking.booking_id;
    let letter =
        if reason == Reason::Refunded { Job::RefundMail { booking_id } } else { Job::RefusalMail { booking_id } };
    outbox::enqueue(&mut **tx, &letter, returned.at).await?;
    Ok(())
}

/// The tickets are locked.
async fn free(tx: &mut PgTransaction<'_>, booking: &Booking, reason: Reason, returned: Returned) -> Result<()> {
    tickets::come_back(&mut **tx, booking.booking_id, returned.to_the_line.then_some(returned.at)).await?;
    claims::release(&mut **tx, booking.booking_id).await?;
    bookings::cancel(&mut **tx, booking.booking_id, reason.as_str()).await?;
    fan_limits::give_back(&mut **tx, &booking.drop_id, booking.user_id, booking.quantity).await?;
    for intent_id in attempts::void_losers(&mut **tx, booking.booking_id, None).await? {
        outbox::enqueue(&mut **tx, &Job::Void { intent_id }, returned.at).await?;
    }
    Ok(())
}

/// After the commit: Redis learns it, too, if it can.
pub(super) async fn tell(app: &App, booking: &Booking, reason: Reason) -> Result<()> {
    metrics::counter!(BOOKINGS, "outcome" => reason.as_str()).increment(1);
    app.outbox.wake();
    crate::seats::returned::tell(app, booking.event_id, booking.booking_id).await
}
