//! Bookings whose time is up or that their fans gave up: no new attempts, the last word from the provider, then the seats are free.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use super::bookings::{self, Booking};
use super::looks::{self, Lease};
use super::outbox;
use super::release::{self, Reason};
use super::settle::{self, Settled};
use super::undo::{self, Undone};
use crate::app::App;
use crate::error::{Error, Result};

/// Bookings that begin to expire in one round: what is due after an outage must not be one long statement.
const BEGIN_MAX: i64 = 1_000;
/// Batches of one round. Not many, so that a round with a provider that hangs is over soon.
const BATCHES_MAX: usize = 8;
/// Bookings leased and worked on at the same time: the provider allows some 25 requests a second.
const PARALLEL: usize = 8;
/// How long a booking is one process's alone, or as long as a job of the outbox where that is shorter; one that dies
/// gives it back so.
const LEASE: Duration = Duration::from_secs(30);
/// How long the provider may take for one booking whose seats may wait a little longer.
const ASK_BUDGET: Duration = Duration::from_secs(15);
/// How long for one that is past the cap, where seats are freed without an answer, too.
const LAST_ASK_BUDGET: Duration = Duration::from_secs(2);
/// From one look at a booking whose bank is deciding to the next.
const BANK_PAUSE: Duration = Duration::from_secs(5);

/// Looks once at bookings whose time is up: a few, then the next few, each once, and none that another process is
/// looking at.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    if let Err(error) = bookings::begin_expiring(&app.pool, BEGIN_MAX, app.clock.now()).await {
        // those that have begun go on all the same
        tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "expiry: none begins");
    }
    let mut failed = Vec::new();
    let mut round = Ok(());
    for _ in 0..BATCHES_MAX {
        match batch(app, &mut failed).await {
            Ok(PARALLEL) => {}
            Ok(_) => break,
            Err(error) => {
                round = Err(error.into());
                break;
            }
        }
    }
    // only now, so that none is asked about twice in a round; in the next they are
    for lease in failed {
        lease.end(&app.pool, app.clock.now()).await?;
    }
    round
}

/// How many that were; those to be tried again keep their leases.
async fn batch(app: &App, failed: &mut Vec<Lease>) -> Result<usize> {
    let lease = LEASE.min(Duration::from_secs(app.settings.outbox_lease_s));
    let now = app.clock.now();
    let capped = now.saturating_sub(Duration::from_secs(app.settings.expiry_cap_s)).map_err(anyhow::Error::from)?;
    let leased = looks::lease_expiring(&app.pool, PARALLEL, capped, lease, now).await?;
    let count = leased.len();
    if count > 0 {
        shared::crash::point("expiry.marked");
    }
    let looked = futures_util::stream::iter(leased).map(async |lease| (expire(app, lease.booking_id).await, lease));
    for (after, lease) in looked.buffer_unordered(PARALLEL).collect::<Vec<_>>().await {
        match after {
            Ok(After::Over) => {}
            Ok(After::InBank) => {
                let later = app.clock.now().saturating_add(BANK_PAUSE).map_err(anyhow::Error::from)?;
                lease.end(&app.pool, later).await?;
            }
            Err(error) => {
                let booking_id = lease.booking_id;
                tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "expiry");
                failed.push(lease);
            }
        }
    }
    Ok(count)
}

enum After {
    /// Decided.
    Over,
    /// To be asked again, but not at once.
    InBank,
}

async fn expire(app: &App, booking_id: Uuid) -> Result<After> {
    let Some(booking) = bookings::find(&app.pool, booking_id).await? else { return Ok(After::Over) };
    // by the clock of this moment: the round may have gone on for a while
    let past_cap = app.clock.now() >= cap(app, &booking)?;
    let budget = if past_cap { LAST_ASK_BUDGET } else { ask_budget(app) };
    // cutting it short is safe: each step is a transaction, and begins anew in the next round
    match tokio::time::timeout(budget, last_word(app, &booking, past_cap)).await {
        Ok(Ok(LastWord::Spoken)) => return Ok(After::Over),
        Ok(Ok(LastWord::NotYet)) => return Ok(After::InBank),
        Ok(Ok(LastWord::SeatsGoBack)) => {}
        Ok(Err(Error::Provider(_))) | Err(_) if past_cap => {}
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            return Err(Error::Unavailable(anyhow::anyhow!("the payment provider took longer than {budget:?}")));
        }
    }
    free(app, &booking).await?;
    Ok(After::Over)
}

/// Shorter than the lease, as with the outbox's jobs.
fn ask_budget(app: &App) -> Duration {
    ASK_BUDGET.min(outbox::budget(&app.settings))
}

enum LastWord {
    /// Decided.
    Spoken,
    /// The bank is deciding.
    NotYet,
    SeatsGoBack,
}

/// Undoes the intents at the provider before the seats go, so that no fan pays for seats that are gone.
async fn last_word(app: &App, booking: &Booking, past_cap: bool) -> Result<LastWord> {
    match settle::aside(app, booking.booking_id).await? {
        Settled::Completed { .. } | Settled::Over { .. } => return Ok(LastWord::Spoken),
        // the bank is still asking the fan: the seats wait, but not for ever
        Settled::Pending { in_bank: true, .. } if !past_cap && !booking.is_given_up() => return Ok(LastWord::NotYet),
        Settled::Pending { .. } => {}
    }
    match undo::cancel_all(app, booking.booking_id).await? {
        // paid at this very moment: asked again, it is sold, or the money does not fit and goes back
        Undone::Paid => match settle::aside(app, booking.booking_id).await? {
            Settled::Completed { .. } | Settled::Over { .. } => return Ok(LastWord::Spoken),
            Settled::Pending { .. } => {}
        },
        Undone::InBank if !past_cap => return Ok(LastWord::NotYet),
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
