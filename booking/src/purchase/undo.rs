//! Giving up intents at the provider before anything is freed, so that no fan pays for seats that are gone.

use jiff::Timestamp;
use sqlx::PgTransaction;
use uuid::Uuid;

use super::{attempts, bookings};
use crate::app::App;
use crate::error::{Error, Result};
use crate::payments::{IntentStatus, StripeError};

/// What became of a booking's intents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// None of them can be paid any more.
    All,
    /// One has money after all, or has won: settling says what that means.
    Paid,
    /// The bank is deciding about one, and the provider cannot cancel it meanwhile.
    InBank,
}

/// Cancels every intent of the booking that is not given up yet.
///
/// # Errors
/// `Provider` when one could not be cancelled: nothing is concluded then.
pub(crate) async fn cancel_all(app: &App, booking_id: Uuid) -> Result<Undone> {
    for intent_id in attempts::live_intents_of(&app.pool, booking_id).await? {
        let undone = cancel(app, &intent_id).await?;
        if undone != Undone::All {
            return Ok(undone);
        }
    }
    Ok(Undone::All)
}

async fn cancel(app: &App, intent_id: &str) -> Result<Undone> {
    let Some(begun) = begin(app, intent_id, false).await? else { return Ok(Undone::Paid) };
    match ask(app, intent_id, begun).await.map_err(Error::Provider)? {
        Asked::Cancelled => attempts::undone(&app.pool, intent_id, app.clock.now()).await?,
        Asked::Stands(IntentStatus::Succeeded | IntentStatus::RequiresCapture) => return Ok(Undone::Paid),
        Asked::Stands(_) => return Ok(Undone::InBank),
    }
    Ok(Undone::All)
}

/// What the provider says, asked to cancel an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Now or before.
    Cancelled,
    /// It cannot be cancelled as it stands.
    Stands(IntentStatus),
}

/// Asks the provider to cancel the intent, as was written down at `begun`. It replays a failure under its key, so each
/// try has its own.
///
/// # Errors
/// Nothing is known, and for a while nobody sells against the intent; or it was refused, and is as it was. That there
/// is none is a refusal, too: it may be known in a moment, or with another key, and have money.
pub(crate) async fn ask(app: &App, intent_id: &str, begun: Timestamp) -> std::result::Result<Asked, StripeError> {
    let error = match app.stripe.cancel(intent_id, &format!("cancel-{}", Uuid::new_v4())).await {
        Ok(_) => return Ok(Asked::Cancelled),
        // the call may still be on its way
        Err(error @ StripeError::Unavailable(_)) => return Err(error),
        Err(error) => error,
    };
    let is_moot = error.is_unexpected_state();
    let answer = if is_moot || matches!(error, StripeError::Failed { .. }) {
        // it is over with that call, and what came of it can be seen
        match app.stripe.fetch(intent_id).await?.status {
            IntentStatus::Canceled => return Ok(Asked::Cancelled),
            status if is_moot => Ok(Asked::Stands(status)),
            _ => Err(error),
        }
    } else {
        Err(error)
    };
    // only now, when the provider has said that it did not cancel
    if let Err(error) = attempts::not_voided(&app.pool, intent_id, begun).await {
        tracing::warn!(%error, "a cancellation that failed seems under way for a minute");
    }
    answer
}

/// Writes down that the intent is being given up, under its booking's lock, so that nobody sells against it meanwhile.
/// `late`: it has money that came too late. When that was; none when the intent has won: then it is not given up.
pub(crate) async fn begin(app: &App, intent_id: &str, late: bool) -> Result<Option<Timestamp>> {
    let Some(mut tx) = unless_won(app, intent_id).await? else { return Ok(None) };
    let now = app.clock.now();
    attempts::voiding(&mut *tx, intent_id, late, now).await?;
    tx.commit().await?;
    Ok(Some(now))
}

/// The same of money that was taken and is to be given back.
pub(crate) async fn begin_refund(app: &App, intent_id: &str) -> Result<bool> {
    let Some(mut tx) = unless_won(app, intent_id).await? else { return Ok(false) };
    attempts::refunding(&mut *tx, intent_id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// A transaction that has the booking's lock; none when the intent has won.
async fn unless_won(app: &App, intent_id: &str) -> Result<Option<PgTransaction<'static>>> {
    let mut tx = app.pool.begin().await?;
    if let Some(booking_id) = attempts::booking_of_intent(&mut *tx, intent_id).await?
        && bookings::lock(&mut *tx, booking_id).await?.is_some_and(|booking| booking.is_won_by(intent_id))
    {
        return Ok(None);
    }
    Ok(Some(tx))
}
