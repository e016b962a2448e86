//! Bookings whose time is up: no new attempts, the last word from the provider, then the seats are free.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::attempts;
use super::bookings::{self, Booking};
use super::release::{self, Reason};
use super::settle::{self, Settled};
use crate::app::App;
use crate::error::{Error, Result};
use crate::payments::StripeError;

/// Bookings looked at in one round; those waiting for a bank come again in the next.
const ROUND_MAX: i64 = 256;
/// Bookings worked on at the same time: the provider allows some 25 requests a second.
const PARALLEL: usize = 8;

/// Looks once at all bookings whose time is up.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    bookings::begin_expiring(&app.pool, now).await?;
    let expiring = bookings::expiring(&app.pool, ROUND_MAX).await?;
    futures_util::stream::iter(expiring)
        .for_each_concurrent(PARALLEL, async |booking| {
            let booking_id = booking.booking_id;
            if let Err(error) = expire(app, &booking, now).await {
                // tried again in the next round
                tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "expiry");
            }
        })
        .await;
    Ok(())
}

async fn expire(app: &App, booking: &Booking, now: Timestamp) -> Result<()> {
    let past_cap = now >= cap(app, booking)?;
    match settle::settle(app, booking.booking_id).await {
        Ok(Settled::Completed { .. } | Settled::Over { .. }) => Ok(()),
        // the bank is still asking the fan: the seats wait, but not for ever
        Ok(Settled::Pending { in_bank: true, .. }) if !past_cap => Ok(()),
        Ok(Settled::Pending { .. }) => give_up(app, booking, past_cap).await,
        Err(Error::Provider(_)) if past_cap => free(app, booking).await,
        Err(error) => Err(error),
    }
}

/// Undoes the intent at the provider first, so that no fan pays for seats that are gone.
async fn give_up(app: &App, booking: &Booking, past_cap: bool) -> Result<()> {
    for intent_id in attempts::intents_of(&app.pool, booking.booking_id).await? {
        match app.stripe.cancel(&intent_id, &format!("expire-{intent_id}")).await {
            Ok(_) => {}
            // cancelled before, or captured: the void job that freeing leaves behind finds out
            Err(error) if error.is_unexpected_state() => {}
            Err(StripeError::Unavailable(_)) if past_cap => {}
            Err(error) => return Err(Error::Provider(error)),
        }
    }
    free(app, booking).await
}

async fn free(app: &App, booking: &Booking) -> Result<()> {
    if release::release(app, booking.booking_id, Reason::Expired).await? {
        tracing::info!(booking_id = %booking.booking_id, "expired, seats free again");
    }
    Ok(())
}

/// The last instant a booking may keep its seats for an outcome.
fn cap(app: &App, booking: &Booking) -> Result<Timestamp> {
    let cap = Duration::from_secs(app.settings.expiry_cap_s);
    Ok(booking.expires_at().saturating_add(cap).map_err(anyhow::Error::from)?)
}
