//! Taking the money, after the tickets have changed hands.

use uuid::Uuid;

use super::Job;
use crate::app::App;
use crate::payments::{Intent, IntentStatus, StripeError};
use crate::purchase::bookings::{self, Status};
use crate::purchase::release::{self, Reason};

/// Captures, or finds out that it was captured before. A refusal by the provider undoes the sale; anything
/// that says nothing about the money is an error and comes again.
pub(super) async fn capture(app: &App, booking_id: Uuid, intent_id: &str, attempt: i32) -> anyhow::Result<()> {
    // the provider replays a failure under its key, so each of our tries has its own and looks first
    let known = if attempt > 1 { Some(app.stripe.fetch(intent_id).await?) } else { None };
    let outcome = match known.filter(|intent| intent.status != IntentStatus::RequiresCapture) {
        Some(intent) => outcome(&intent),
        None => match app.stripe.capture(intent_id, &format!("capture-{intent_id}-{attempt}")).await {
            Ok(intent) => outcome(&intent),
            Err(StripeError::Declined { .. }) => Outcome::Refused,
            Err(error) if error.is_unexpected_state() => outcome(&app.stripe.fetch(intent_id).await?),
            Err(error) => return Err(error.into()),
        },
    };
    match outcome {
        Outcome::Taken => taken(app, booking_id).await,
        Outcome::Refused => refused(app, booking_id).await,
        Outcome::Unclear(status) => anyhow::bail!("the intent is {status:?} after its capture"),
    }
}

enum Outcome {
    Taken,
    Refused,
    Unclear(IntentStatus),
}

fn outcome(intent: &Intent) -> Outcome {
    match intent.status {
        IntentStatus::Succeeded => Outcome::Taken,
        IntentStatus::Canceled | IntentStatus::RequiresPaymentMethod => Outcome::Refused,
        other => Outcome::Unclear(other),
    }
}

/// Only now do the tickets leave.
async fn taken(app: &App, booking_id: Uuid) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    if bookings::captured(&mut *tx, booking_id, now).await? {
        super::enqueue(&mut *tx, &Job::TicketMail { booking_id }, now).await?;
    }
    Ok(tx.commit().await?)
}

async fn refused(app: &App, booking_id: Uuid) -> anyhow::Result<()> {
    let mut tx = app.pool.begin().await?;
    let booking = match bookings::lock(&mut *tx, booking_id).await? {
        Some(booking) if booking.status == Status::Completed && booking.captured_at().is_none() => booking,
        _ => return Ok(()),
    };
    release::undo_sale(&mut tx, &booking, app.clock.now()).await?;
    tx.commit().await?;
    tracing::warn!(%booking_id, "the capture was refused: booking cancelled, seats free again");
    Ok(release::tell(app, &booking, Reason::CaptureRefused).await?)
}
