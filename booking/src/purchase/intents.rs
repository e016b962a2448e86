//! The booking's payment intent at the provider.

use uuid::Uuid;

use super::attempts::{self, Attempt};
use super::bookings::{Booking, Status};
use super::outbox::{self, Job};
use crate::app::App;
use crate::error::{Error, Result};
use crate::payments::{NewIntent, StripeError};

/// An intent the fan can pay with.
#[derive(Clone, Debug)]
pub(crate) struct PayableIntent {
    pub(crate) intent_id: String,
    pub(crate) client_secret: Option<String>,
}

/// The current intent, made at the provider if it was not yet. The attempt's id is the provider's
/// idempotency key, so asking again after a crash finds the same intent; once the provider has failed under
/// it, the attempt is given up for another.
///
/// # Errors
/// `BookingExpired` when the booking takes no payment any more; `Provider`.
pub(crate) async fn ensure(app: &App, booking: &Booking) -> Result<PayableIntent> {
    let attempt = match attempts::current(&app.pool, booking.booking_id).await? {
        Some(Attempt { intent_id: Some(intent_id), client_secret, .. }) => {
            return Ok(PayableIntent { intent_id, client_secret });
        }
        Some(attempt) => attempt.attempt_id,
        None => new_attempt(app, booking).await?,
    };
    if booking.status != Status::Pending {
        return Err(Error::BookingExpired { reason: booking.why() });
    }
    let new = NewIntent {
        amount: booking.total_amount,
        currency: booking.currency.clone(),
        booking_id: booking.booking_id,
        attempt_id: attempt,
        origin: app.public_url.clone(),
    };
    shared::crash::point("intent.asked");
    let intent = match app.stripe.create_intent(&new, &attempt.to_string()).await {
        Ok(intent) => intent,
        Err(error) => {
            if matches!(error, StripeError::Failed { .. }) {
                // the next try needs another key; should the provider have made an intent after all, nobody
                // knows its secret, so nobody can pay it, and the reconciler cancels it
                attempts::void_uncreated(&app.pool, attempt).await?;
            }
            // a refusal here is our mistake, not the fan's: nobody has named a card yet
            return Err(Error::Provider(error));
        }
    };
    shared::crash::point("intent.made");
    if !attempts::created(&app.pool, attempt, &intent.id, intent.client_secret.as_deref()).await? {
        // the booking was given up while the provider was asked
        outbox::enqueue(&app.pool, &Job::Void { intent_id: intent.id }, app.clock.now()).await?;
        app.outbox.wake();
        return Err(Error::BookingExpired { reason: booking.why() });
    }
    shared::crash::point("intent.stored");
    Ok(PayableIntent { intent_id: intent.id, client_secret: intent.client_secret })
}

/// The fan pays with another intent. Should the provider have this one after all, it is cancelled there.
pub(crate) async fn give_up(app: &App, intent_id: &str) -> Result<()> {
    let mut tx = app.pool.begin().await?;
    if attempts::give_up(&mut *tx, intent_id).await? {
        let job = Job::Void { intent_id: intent_id.to_owned() };
        outbox::enqueue(&mut *tx, &job, app.clock.now()).await?;
    }
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}

/// The last attempt is given up, but the booking still has time.
async fn new_attempt(app: &App, booking: &Booking) -> Result<Uuid> {
    let now = app.clock.now();
    if !booking.is_payable(now) {
        return Err(Error::BookingExpired { reason: booking.why() });
    }
    let attempt_id = Uuid::new_v4();
    if attempts::insert(&app.pool, attempt_id, booking.booking_id, now).await? {
        Ok(attempt_id)
    } else {
        Err(Error::BookingExpired { reason: booking.why() })
    }
}
