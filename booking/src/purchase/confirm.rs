//! The fan says "pay", or "I have paid".

use serde_json::Value;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::settle::{self, Settled};
use super::{document, intents, outbox};
use crate::app::App;
use crate::error::{Error, Result};
use crate::payments::StripeError;

/// Where the booking stands.
pub(crate) enum Confirmed {
    /// The booking's document.
    Completed(Value),
    /// What the fan has to do next, in the provider's words; `in_bank` while the bank has not decided.
    Pending { next_action: Option<Value>, in_bank: bool },
}

/// With a `payment_method` the intent is confirmed from here; without one it was in the browser. Either
/// way the provider is asked what came of it, and money is taken as soon as the tickets are sold.
pub(crate) async fn confirm(
    app: &App,
    user_id: Uuid,
    booking_id: Uuid,
    payment_method: Option<&str>,
) -> Result<Confirmed> {
    let booking = bookings::find_own(&app.pool, booking_id, user_id).await?.ok_or(Error::BookingUnknown)?;
    let (mut too_late, mut unclear) = (false, None);
    match payment_method {
        Some(payment_method) if booking.is_payable(app.clock.now()) => {
            unclear = authorise(app, &booking, payment_method).await?;
        }
        asked => too_late = asked.is_some(),
    }
    // also when it is too late to begin a payment: one that began in time may have won
    match settle::settle(app, booking_id).await? {
        Settled::Completed { capture } => {
            if let Some(job) = capture {
                outbox::run_now(app, job).await?;
                // the rest of what the sale asks for
                app.outbox.wake();
            }
            completed(app, booking_id).await
        }
        Settled::Pending { in_bank: false, .. } if too_late => Err(Error::BookingExpired { reason: booking.why() }),
        // the provider failed, and knows of no payment: the fan may try again
        Settled::Pending { next_action: None, in_bank: false, .. } if unclear.is_some() => {
            Err(unclear.map_or(Error::Crowded, Error::Provider))
        }
        Settled::Pending { declined: Some(declined), .. } => {
            Err(Error::Declined { code: declined.code, message: declined.message })
        }
        Settled::Pending { next_action, in_bank, .. } => Ok(Confirmed::Pending { next_action, in_bank }),
        Settled::Over { reason } => Err(Error::BookingExpired { reason }),
    }
}

/// What the provider said, if that leaves open whether the payment was authorised: settling looks the outcome up.
async fn authorise(app: &App, booking: &Booking, payment_method: &str) -> Result<Option<StripeError>> {
    let mut authorised = ask(app, booking, payment_method).await?;
    if let Err((error, intent_id)) = &authorised
        && error.is_missing()
        && !error.refuses_method()
    {
        // nobody can pay that one any more: this fan pays with another
        intents::give_up(app, intent_id).await?;
        authorised = ask(app, booking, payment_method).await?;
    }
    match authorised {
        Ok(()) => Ok(None),
        // authorised before, by the browser or by a repeated request: settling tells
        Err((error, _)) if error.is_unexpected_state() => Ok(None),
        Err((error @ (StripeError::Failed { .. } | StripeError::Unavailable(_)), _)) => Ok(Some(error)),
        Err((error, _)) if error.is_missing() && error.refuses_method() => {
            Err(Error::WrongType("payment_method: the provider does not know it".to_owned()))
        }
        Err((error @ StripeError::Api { .. }, _)) if error.refuses_method() => Err(unusable(error)),
        Err((error, _)) => Err(error.into()),
    }
}

/// With the booking's current intent, which is named when that did not work.
async fn ask(
    app: &App,
    booking: &Booking,
    payment_method: &str,
) -> Result<std::result::Result<(), (StripeError, String)>> {
    let intent = intents::ensure(app, booking).await?;
    let return_url = format!("{}/checkout/{}", app.public_url, booking.booking_id);
    shared::crash::point("confirm.authorising");
    let authorised = app.stripe.confirm(&intent.intent_id, payment_method, &return_url).await;
    shared::crash::point("confirm.authorised");
    Ok(authorised.map(|_| ()).map_err(|error| (error, intent.intent_id)))
}

/// A card used before, or not made for this: not a refusal by its bank, and the fan's way on is the same.
fn unusable(error: StripeError) -> Error {
    let StripeError::Api { code, .. } = error else { return error.into() };
    let code = if code.is_empty() { "payment_method_unusable".to_owned() } else { code };
    Error::Declined { code, message: "This card cannot be used for the payment. Use another one.".to_owned() }
}

/// Read again: the capture may have been refused, and then there is no booking any more.
async fn completed(app: &App, booking_id: Uuid) -> Result<Confirmed> {
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    if booking.status == Status::Completed {
        return Ok(Confirmed::Completed(document::of(app, &booking).await?));
    }
    Err(Error::Declined { code: booking.why(), message: "the money could not be taken".to_owned() })
}
