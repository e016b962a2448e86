//! Giving up intents at the provider before anything is freed, so that no fan pays for seats that are gone.

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
    if !begin(app, intent_id).await? {
        return Ok(Undone::Paid);
    }
    match ask(app, intent_id).await {
        Ok(()) => {}
        Err(error) if error.is_unexpected_state() => {
            match app.stripe.fetch(intent_id).await.map_err(Error::Provider)?.status {
                IntentStatus::Canceled => {}
                IntentStatus::Succeeded | IntentStatus::RequiresCapture => return Ok(Undone::Paid),
                _ => return Ok(Undone::InBank),
            }
        }
        Err(error) => return Err(Error::Provider(error)),
    }
    attempts::undone(&app.pool, intent_id, app.clock.now()).await?;
    Ok(Undone::All)
}

/// Asks the provider to cancel the intent. It replays a failure under its key, so each try has its own.
pub(crate) async fn ask(app: &App, intent_id: &str) -> std::result::Result<(), StripeError> {
    let asked = app.stripe.cancel(intent_id, &format!("cancel-{}", Uuid::new_v4())).await;
    if asked.is_err()
        && let Err(error) = attempts::not_voided(&app.pool, intent_id).await
    {
        tracing::warn!(%error, "a cancellation that failed seems under way for a minute");
    }
    asked.map(|_| ())
}

/// Writes down that the intent is being given up, under its booking's lock, so that [`super::regain`] does not sell
/// against it meanwhile. False when it has won: then it is not given up.
pub(crate) async fn begin(app: &App, intent_id: &str) -> Result<bool> {
    let Some(mut tx) = unless_won(app, intent_id).await? else { return Ok(false) };
    attempts::voiding(&mut *tx, intent_id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
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
