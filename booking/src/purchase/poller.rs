//! Finds payments that were authorised while nobody told us: a closed tab, a lost webhook.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::looks::{self, Share};
use super::settle;
use crate::app::App;

/// A younger booking is left to the fan and the webhook.
const YOUNG: Duration = Duration::from_secs(20);
/// From one look at a booking to the next, by whichever process.
const PAUSE: Duration = Duration::from_secs(60);
/// What all processes together ask: four a second, of the some 25 that the provider allows. The rest is the fans' and
/// the expiry's, which asks about every booking once more before it frees anything: so with many open bookings a
/// payment that nobody told us of is found when its time is up, at the latest.
const SHARE: Share = Share { bookings: 8, within: Duration::from_secs(2) };
const PARALLEL: usize = 2;

/// Asks the provider once about a handful of open bookings.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let waiting = looks::lease_open(&app.pool, now.saturating_sub(YOUNG)?, SHARE, PAUSE, now).await?;
    futures_util::stream::iter(waiting)
        .for_each_concurrent(PARALLEL, async |booking_id| {
            if let Err(error) = settle::aside(app, booking_id).await {
                tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "poller");
            }
        })
        .await;
    Ok(())
}
