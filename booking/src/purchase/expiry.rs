//! Bookings whose time is up or that their fans gave up: no new attempts, the last word from the provider, then the seats are free.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::bookings::{self, Booking};
use super::release::{self, Reason};
use super::settle::{self, Settled};
use super::undo::{self, Undone};
use crate::app::App;
use crate::error::{Error, Result};

/// Bookings looked at in one round; those waiting for a bank come again in the next. Not many, so that a
/// round with a provider that hangs is over soon.
const ROUND_MAX: i64 = 64;
/// Bookings worked on at the same time: the provider allows some 25 requests a second.
const PARALLEL: usize = 8;
/// How long the provider may take for one booking whose seats may wait a little longer.
const ASK_BUDGET: Duration = Duration::from_secs(15);
/// How long for one that is past the cap, where seats are freed without an answer, too.
const LAST_ASK_BUDGET: Duration = Duration::from_secs(2);

/// Looks once at all bookings whose time is up.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    bookings::begin_expiring(&app.pool, app.clock.now()).await?;
    let expiring = bookings::expiring(&app.pool, ROUND_MAX).await?;
    if !expiring.is_empty() {
        shared::crash::point("expiry.marked");
    }
    futures_util::stream::iter(expiring)
        .for_each_concurrent(PARALLEL, async |booking| {
            let booking_id = booking.booking_id;
            if let Err(error) = expire(app, &booking).await {
                // tried again in the next round
                tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "expiry");
            }
        })
        .await;
    Ok(())
}

async fn expire(app: &App, booking: &Booking) -> Result<()> {
    // by the clock of this moment: the round may have gone on for a while
    let past_cap = app.clock.now() >= cap(app, booking)?;
    let budget = if past_cap { LAST_ASK_BUDGET } else { ASK_BUDGET };
    // cutting it short is safe: each step is a transaction, and begins anew in the next round
    match tokio::time::timeout(budget, last_word(app, booking, past_cap)).await {
        Ok(Ok(LastWord::Spoken)) => Ok(()),
        Ok(Ok(LastWord::SeatsGoBack)) => free(app, booking).await,
        Ok(Err(Error::Provider(_))) | Err(_) if past_cap => free(app, booking).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::Unavailable(anyhow::anyhow!("the payment provider took longer than {budget:?}"))),
    }
}

enum LastWord {
    /// Decided, or to be asked for again.
    Spoken,
    SeatsGoBack,
}

/// Undoes the intents at the provider before the seats go, so that no fan pays for seats that are gone.
async fn last_word(app: &App, booking: &Booking, past_cap: bool) -> Result<LastWord> {
    match settle::aside(app, booking.booking_id).await? {
        Settled::Completed { .. } | Settled::Over { .. } => return Ok(LastWord::Spoken),
        // the bank is still asking the fan: the seats wait, but not for ever
        Settled::Pending { in_bank: true, .. } if !past_cap && !booking.is_given_up() => return Ok(LastWord::Spoken),
        Settled::Pending { .. } => {}
    }
    match undo::cancel_all(app, booking.booking_id).await? {
        // paid at this very moment: asked again, it is sold, or the money does not fit and goes back
        Undone::Paid => match settle::aside(app, booking.booking_id).await? {
            Settled::Completed { .. } | Settled::Over { .. } => return Ok(LastWord::Spoken),
            Settled::Pending { .. } => {}
        },
        Undone::InBank if !past_cap => return Ok(LastWord::Spoken),
        Undone::All | Undone::InBank => {}
    }
    shared::crash::point("expiry.cancelled");
    Ok(LastWord::SeatsGoBack)
}

async fn free(app: &App, booking: &Booking) -> Result<()> {
    let reason = if booking.is_given_up() { Reason::GivenUp } else { Reason::Expired };
    if release::release(app, booking.booking_id, reason).await? {
        tracing::info!(booking_id = %booking.booking_id, "{}, seats free again", reason.as_str());
    }
    Ok(())
}

/// The last instant a booking may keep its seats for an outcome.
pub(crate) fn cap(app: &App, booking: &Booking) -> Result<Timestamp> {
    let cap = Duration::from_secs(app.settings.expiry_cap_s);
    Ok(booking.expires_at().saturating_add(cap).map_err(anyhow::Error::from)?)
}
