//! Taking the money, after the tickets have changed hands.

use uuid::Uuid;

use super::Job;
use crate::app::App;
use crate::payments::{Intent, IntentStatus, StripeError};
use crate::purchase::release::{self, Reason, Returned};
use crate::purchase::{attempts, bookings};

/// Captures, or finds out that it was captured before. A refusal by the provider undoes the sale; anything
/// that says nothing about the money is an error and comes again. Money is asked for only while the tickets
/// are the fan's and unpaid: a job done twice finds nothing to do.
pub(super) async fn capture(app: &App, booking_id: Uuid, intent_id: &str, attempt: i32) -> anyhow::Result<()> {
    let booking = match bookings::find(&app.pool, booking_id).await? {
        Some(booking) if booking.is_unpaid() => booking,
        _ => return Ok(()),
    };
    let outcome = match take(app, intent_id, attempt).await {
        Ok(intent) => outcome(&intent, booking.total_amount),
        Err(StripeError::Declined { .. }) => Outcome::Refused,
        // without a word about the intent: only when it says nothing else for a while
        Err(error @ StripeError::Api { status: 400 | 404, .. }) => {
            if !attempts::refused(&app.pool, intent_id, app.clock.now()).await? {
                return Err(error.into());
            }
            Outcome::Refused
        }
        Err(error) => {
            attempts::not_refused(&app.pool, intent_id).await?;
            return Err(error.into());
        }
    };
    match outcome {
        Outcome::Taken => taken(app, booking_id).await,
        Outcome::Refused => refused(app, booking_id).await,
        Outcome::Short { kept } => {
            tracing::error!(%booking_id, kept, total = booking.total_amount, "captured elsewhere, and not kept in full");
            refused(app, booking_id).await
        }
        Outcome::Unclear(status) => {
            attempts::not_refused(&app.pool, intent_id).await?;
            anyhow::bail!("the intent is {status:?} after its capture")
        }
    }
}

/// The intent after its capture, by whomever.
async fn take(app: &App, intent_id: &str, attempt: i32) -> Result<Intent, StripeError> {
    // the provider replays a failure under its key, so each of our tries has its own and looks first
    if attempt > 1 {
        let known = app.stripe.fetch(intent_id).await?;
        if known.status != IntentStatus::RequiresCapture {
            return Ok(known);
        }
    }
    match ask(app, intent_id).await {
        Err(error) if error.is_unexpected_state() => app.stripe.fetch(intent_id).await,
        asked => asked,
    }
}

async fn ask(app: &App, intent_id: &str) -> Result<Intent, StripeError> {
    shared::crash::point("capture.asked");
    let captured = app.stripe.capture(intent_id, &format!("capture-{}", Uuid::new_v4())).await;
    shared::crash::point("capture.made");
    captured
}

enum Outcome {
    Taken,
    Refused,
    /// Somebody at the provider took less than the tickets cost, or gave some of it back: the sale is undone, and the
    /// rest goes back.
    Short {
        /// Minor units.
        kept: i64,
    },
    Unclear(IntentStatus),
}

fn outcome(intent: &Intent, total: i64) -> Outcome {
    match intent.status {
        // what was given back pays for no tickets
        IntentStatus::Succeeded => match intent.amount_received - intent.refunded() {
            kept if kept == total => Outcome::Taken,
            kept => Outcome::Short { kept },
        },
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
    tx.commit().await?;
    shared::crash::point("capture.stored");
    app.outbox.wake();
    Ok(())
}

async fn refused(app: &App, booking_id: Uuid) -> anyhow::Result<()> {
    let Some(booking) = bookings::find(&app.pool, booking_id).await? else { return Ok(()) };
    let returned = Returned::of(&app.line, &booking.drop_id, app.clock.now()).await;
    let mut tx = app.pool.begin().await?;
    let booking = match bookings::lock(&mut *tx, booking_id).await? {
        Some(booking) if booking.is_unpaid() => booking,
        _ => return Ok(()),
    };
    release::undo_sale(&mut tx, &booking, Reason::CaptureRefused, returned).await?;
    tx.commit().await?;
    tracing::warn!(%booking_id, "the capture was refused: booking cancelled, seats free again");
    Ok(release::tell(app, &booking, Reason::CaptureRefused).await?)
}
