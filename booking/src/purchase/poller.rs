//! Finds payments that were authorised while nobody told us: a closed tab, a lost webhook.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::bookings;
use super::settle;
use crate::app::App;

/// A younger booking is left to the fan and the webhook.
const YOUNG: Duration = Duration::from_secs(20);
/// Bookings asked about in one round: the provider allows some 25 requests a second.
const ROUND_MAX: i64 = 40;
const PARALLEL: usize = 4;

/// Asks the provider once about a handful of open bookings.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    let before = app.clock.now().saturating_sub(YOUNG)?;
    let waiting = bookings::awaiting_payment(&app.pool, before, ROUND_MAX).await?;
    futures_util::stream::iter(waiting)
        .for_each_concurrent(PARALLEL, async |booking_id| {
            if let Err(error) = settle::aside(app, booking_id).await {
                tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "poller");
            }
        })
        .await;
    Ok(())
}
