//! Compares the provider's list of intents with our books and closes every difference by itself.
//!
//! Confirm, webhook, poller and outbox do all there is to do as long as nobody is killed at the wrong instant. What is
//! left over is found here: an intent we asked for and never heard of, money for a booking that is over, a sale whose
//! money nobody took. What a difference means is decided in [`difference`], pure; all that is done about it is
//! idempotent, and mostly left to those whose task it is anyhow.
//!
//! Two sweeps go through the list, each by one process at a time and a few pages a step: the fresh one over what was
//! made since it was here last, the deep one each hour over the last two days.

mod difference;
mod known;
mod sweep;

use std::time::Duration;

use jiff::Timestamp;

use super::outbox::{self, Job};
use super::refund;
use super::{attempts, settle};
use crate::app::App;
use crate::error::{Error, Result};
use crate::metrics::RECONCILED;
use crate::payments::Intent;

use difference::Difference;
use sweep::Sweep;

/// Younger intents, sales and attempts are left to those who are at work on them.
const YOUNG: Duration = Duration::from_secs(60);
/// Pages of the provider's list read in one step, 100 intents each: it allows some 25 requests a second.
const PAGES_MAX: usize = 50;
/// Rows of our own looked at in one step.
const ROWS_MAX: i64 = 200;

/// One step of each sweep, and a look at our own books.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    our_own(app).await?;
    for sweep in [Sweep::Fresh, Sweep::Deep] {
        compare(app, sweep).await?;
    }
    Ok(())
}

async fn compare(app: &App, sweep: Sweep) -> anyhow::Result<()> {
    let Some(mut window) = sweep.lease(app).await? else { return Ok(()) };
    for _ in 0..PAGES_MAX {
        let page = match app.stripe.list(window.from, window.to, window.after.as_deref()).await {
            Err(error) if error.is_missing() => {
                // the intent we stopped at is gone: begin the window again
                window.after = None;
                return sweep.put_back(app, &window).await;
            }
            Err(error) => {
                // not kept from the others for as long as the lease: the provider may be back in a moment
                sweep.put_back(app, &window).await?;
                return Err(error.into());
            }
            Ok(page) => page,
        };
        let known = known::of(&app.pool, &page.data).await?;
        for intent in &page.data {
            let found = known.of(intent);
            if let Some(difference) = difference::between(intent, found, &app.public_url) {
                close_one(app, intent, difference).await;
            }
        }
        window.after = page.data.last().map(|intent| intent.id.clone());
        if !page.has_more || page.data.is_empty() {
            return sweep.finish(app, &window).await;
        }
        sweep.keep(app, &window).await?;
    }
    sweep.put_back(app, &window).await
}

/// A difference that cannot be closed now is found again by the next deep sweep, and by whoever else looks.
async fn close_one(app: &App, intent: &Intent, difference: Difference) {
    let name = difference.as_str();
    metrics::counter!(RECONCILED, "difference" => name).increment(1);
    tracing::warn!(intent_id = intent.id, difference = name, "the provider's book and ours differ");
    if let Err(error) = close(app, intent, difference).await {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(intent_id = intent.id, difference = name, error, "reconciler");
    }
}

async fn close(app: &App, intent: &Intent, difference: Difference) -> Result<()> {
    let now = app.clock.now();
    match difference {
        Difference::Unheard { attempt_id, booking_id } => {
            let secret = intent.client_secret.as_deref();
            if attempts::created(&app.pool, attempt_id, &intent.id, secret).await? {
                settle::aside(app, booking_id).await?;
            } else {
                void(app, &intent.id, now).await?;
            }
        }
        Difference::Orphan => void(app, &intent.id, now).await?,
        Difference::Unsettled { booking_id } => {
            settle::aside(app, booking_id).await?;
        }
        Difference::Superseded => void(app, &intent.id, now).await?,
        Difference::Uncaptured { booking_id } => {
            let job = Job::Capture { booking_id, intent_id: intent.id.clone() };
            outbox::enqueue_once(&app.pool, &job, now).await?;
            app.outbox.wake();
        }
        Difference::GivenBack { booking_id } => {
            refund::here(app, booking_id).await.map_err(|error| Error::Internal(error.into()))?;
        }
    }
    Ok(())
}

async fn void(app: &App, intent_id: &str, now: Timestamp) -> Result<()> {
    outbox::enqueue_once(&app.pool, &Job::Void { intent_id: intent_id.to_owned() }, now).await?;
    app.outbox.wake();
    Ok(())
}

/// What our own books say is to be done and no job is about: somebody deleted it, or a backup came without it.
async fn our_own(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let (until, back) = (now.saturating_sub(YOUNG)?, Duration::from_secs(app.settings.reconcile_back_s));
    let since = now.saturating_sub(back)?;
    let uncaptured = known::uncaptured_without_job(&app.pool, until, ROWS_MAX).await?;
    let not_undone = known::void_without_job(&app.pool, since, until, ROWS_MAX).await?;
    metrics::counter!(RECONCILED, "difference" => "job-lost").increment((uncaptured.len() + not_undone.len()) as u64);
    for (booking_id, intent_id) in uncaptured {
        outbox::enqueue_once(&app.pool, &Job::Capture { booking_id, intent_id }, now).await?;
    }
    for intent_id in not_undone {
        outbox::enqueue_once(&app.pool, &Job::Void { intent_id }, now).await?;
    }
    app.outbox.wake();
    Ok(())
}
