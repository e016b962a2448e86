//! One idempotent answer to "what became of the payment?", whoever asks: confirm, webhook, poller, expiry.

use serde_json::Value;
use uuid::Uuid;

use super::attempts::{self, MaybePaid};
use super::bookings::{self, Booking, Status};
use super::decision::{Verdict, judge};
use super::outbox::{self, Job};
use super::regain::{self, Regained};
use super::release::{self, Reason};
use super::sell::Sold;
use super::tickets;
use crate::app::App;
use crate::error::{Error, Result};
use crate::metrics::{BOOKINGS, INTENTS_MISSING};
use crate::payments::Intent;

/// Where a booking stands after the provider was asked.
#[derive(Debug)]
pub enum Settled {
    /// Sold; `capture` is the job that takes the money when this call has sold it.
    Completed { capture: Option<i64> },
    /// Not paid yet.
    Pending { next_action: Option<Value>, declined: Option<Declined>, in_bank: bool },
    /// Cancelled.
    Over { reason: String },
}

/// Why the last card was refused.
#[derive(Debug)]
pub struct Declined {
    pub code: String,
    /// Written for the person who pays.
    pub message: String,
}

/// Fetches every intent of the booking and acts on it.
///
/// # Errors
/// `Provider` when an intent cannot be fetched: nothing is concluded then. One that the provider does not know is no
/// different, but the booking's others are settled first.
pub async fn settle(app: &App, booking_id: Uuid) -> Result<Settled> {
    let mut booking = find(app, booking_id).await?;
    let mut waiting = Settled::Pending { next_action: None, declined: None, in_bank: false };
    let (mut capture, mut missing) = (None, None);
    for MaybePaid { intent_id, is_void } in attempts::intents_of(&app.pool, booking_id).await? {
        if booking.status == Status::Completed && booking.intent_id.as_ref() == Some(&intent_id) {
            continue; // it won; the outbox takes the money
        }
        let intent = match app.stripe.fetch(&intent_id).await {
            Ok(intent) => intent,
            Err(error) if error.is_missing() => {
                metrics::counter!(INTENTS_MISSING).increment(1);
                tracing::warn!(intent_id, "the provider does not know an intent of ours");
                // one that was given up is asked about until it is known, by the job that cancels it
                if !is_void {
                    missing = Some(error);
                }
                continue;
            }
            Err(error) => return Err(Error::Provider(error)),
        };
        shared::crash::point("settle.fetched");
        match judge(&booking, &intent) {
            Verdict::Sell => {
                capture = sell(app, &booking, &intent).await?;
                booking = find(app, booking_id).await?;
                if judge(&booking, &intent) == Verdict::Void {
                    void(app, intent.id).await?;
                }
            }
            Verdict::Regain => match regain(app, &booking, &intent).await? {
                Regained::Now { capture: job } => {
                    capture = Some(job);
                    booking = find(app, booking_id).await?;
                }
                Regained::Gone => void(app, intent.id).await?,
                Regained::Undone => {}
            },
            Verdict::Void => void(app, intent.id).await?,
            Verdict::Wait => waiting = still_waiting(intent),
            Verdict::Gone => attempts::undone(&app.pool, &intent.id, app.clock.now()).await?,
            Verdict::Won => {}
        }
    }
    Ok(match booking.status {
        Status::Completed => Settled::Completed { capture },
        Status::Pending => match missing {
            Some(error) => return Err(Error::Provider(error)),
            None => waiting,
        },
        Status::Cancelled => Settled::Over { reason: booking.why() },
    })
}

/// [`settle`] for whoever does not wait for the money: the outbox is woken to take it.
pub async fn aside(app: &App, booking_id: Uuid) -> Result<Settled> {
    let settled = settle(app, booking_id).await?;
    app.outbox.wake();
    Ok(settled)
}

async fn find(app: &App, booking_id: Uuid) -> Result<Booking> {
    bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)
}

/// The capture job, if the tickets were sold by this call.
async fn sell(app: &App, booking: &Booking, intent: &Intent) -> Result<Option<i64>> {
    match app.counter.sell(booking.booking_id, &intent.id, app.clock.now()).await? {
        Sold::Now { capture } => {
            metrics::counter!(BOOKINGS, "outcome" => "completed").increment(1);
            let ordinals = tickets::ordinals_of(&app.pool, booking.booking_id).await?;
            app.seats.holds.mark(&app.redis, booking.event_id, booking.booking_id, &ordinals, None).await;
            Ok(Some(capture))
        }
        Sold::Before => Ok(None),
        Sold::Lost => {
            tracing::warn!(booking_id = %booking.booking_id, "paid for, but the tickets are gone: voided");
            release::release(app, booking.booking_id, Reason::PaymentLost).await?;
            Ok(None)
        }
    }
}

/// A late payment gets its tickets back, if they are still there.
async fn regain(app: &App, booking: &Booking, intent: &Intent) -> Result<Regained> {
    let regained = regain::regain(&app.pool, booking.booking_id, &intent.id, app.clock.now()).await?;
    if let Regained::Now { .. } = regained {
        tracing::info!(booking_id = %booking.booking_id, "paid late, and the same seats were still free");
        metrics::counter!(BOOKINGS, "outcome" => "regained").increment(1);
        let ordinals = tickets::ordinals_of(&app.pool, booking.booking_id).await?;
        app.seats.holds.mark(&app.redis, booking.event_id, booking.booking_id, &ordinals, None).await;
    }
    Ok(regained)
}

async fn void(app: &App, intent_id: String) -> Result<()> {
    outbox::enqueue_once(&app.pool, &Job::Void { intent_id }, app.clock.now()).await?;
    app.outbox.wake();
    Ok(())
}

fn still_waiting(intent: Intent) -> Settled {
    use crate::payments::IntentStatus as I;
    let declined = intent.last_payment_error.filter(|_| intent.status == I::RequiresPaymentMethod);
    Settled::Pending {
        next_action: intent.next_action,
        declined: declined.map(|error| Declined {
            code: error.decline_code.or(error.code).unwrap_or_default(),
            message: error.message.unwrap_or_default(),
        }),
        in_bank: matches!(intent.status, I::RequiresAction | I::Processing),
    }
}
