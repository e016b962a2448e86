//! What must happen after a commit: written by that commit, done at least once, each kind idempotent.
//!
//! A job is leased by timestamp, so a worker that dies gives it back by itself; any number of workers in
//! any number of processes share the table. Mails have a queue of their own, so that a mail server that hangs holds
//! up neither money nor the slots of a line.

mod capture;
mod end_place;
mod leased;
mod void;

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use tokio::sync::Notify;
use uuid::Uuid;

use super::attempts;
use crate::app::App;
use crate::metrics::{OUTBOX_FAILURES, OUTBOX_GIVEN_UP};
use crate::notify;
use crate::settings::Settings;

use leased::{Leased, done, lease_due, lease_one, put_back};

/// The part of its lease (`booking.outbox_lease_s`) that a worker may take for a job: what is left is for writing down
/// what came of it.
const JOB_BUDGET: f64 = 0.75;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
pub enum Job {
    /// Take the authorised money of a completed booking.
    Capture { booking_id: Uuid, intent_id: String },
    /// Give money back that no ticket stands against: cancel the intent, refund what was taken.
    Void { intent_id: String },
    /// The fan has bought: the slot in the line is free.
    EndPlace { drop_id: String, place: String },
    /// After the capture only.
    TicketMail { booking_id: Uuid },
    /// The capture was refused and the seats are gone.
    RefusalMail { booking_id: Uuid },
    /// The sale was undone, and the money goes back.
    RefundMail { booking_id: Uuid },
    /// The money came when the seats were gone, and went back.
    LateMail { booking_id: Uuid },
    /// Somebody in a line is called, and asked to be told.
    TurnMail { drop_id: String, place: String },
}

/// What is worked on together, and waits for nothing of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Money and slots.
    Deeds,
    /// Whatever waits for a mail server.
    Mails,
}

/// Wakes this process's workers when something was written for them, so that it does not wait for the next look.
#[derive(Debug, Default)]
pub struct Wakers {
    deeds: Notify,
    mails: Notify,
}

impl Wakers {
    /// After the commit: there may be something to do.
    pub fn wake(&self) {
        self.deeds.notify_one();
        self.mails.notify_one();
    }

    /// Until the next [`Self::wake`], or the last one that nobody has heard.
    pub async fn woken(&self, queue: Queue) {
        match queue {
            Queue::Deeds => self.deeds.notified().await,
            Queue::Mails => self.mails.notified().await,
        }
    }
}

/// Written with the decision it follows from; its id.
pub async fn enqueue(db: impl PgExecutor<'_>, job: &Job, now: Timestamp) -> crate::error::Result<i64> {
    let (kind, body) = columns(job)?;
    let id = sqlx::query_scalar(
        "INSERT INTO outbox (kind, body, run_at, created_at) VALUES ($1, $2, $3, $3) RETURNING outbox_id",
    )
    .bind(kind)
    .bind(body)
    .bind(now.to_sqlx())
    .fetch_one(db)
    .await?;
    Ok(id)
}

/// A deed, unless the same one waits already. Two at the same instant may both be written, which costs a call.
pub(crate) async fn enqueue_once(db: impl PgExecutor<'_>, job: &Job, now: Timestamp) -> crate::error::Result<()> {
    let (kind, body) = columns(job)?;
    sqlx::query(
        "INSERT INTO outbox (kind, body, run_at, created_at) SELECT $1, $2, $3, $3
         -- the condition of the index of deeds
         WHERE NOT EXISTS (SELECT FROM outbox WHERE done_at IS NULL AND kind NOT LIKE '%-mail' AND kind = $1 AND body = $2)",
    )
    .bind(kind)
    .bind(body)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(())
}

/// Kind and body of the job's row.
pub(super) fn columns(job: &Job) -> anyhow::Result<(String, serde_json::Value)> {
    #[derive(Deserialize)]
    struct Columns {
        kind: String,
        body: serde_json::Value,
    }
    let columns: Columns = serde_json::from_value(serde_json::to_value(job)?)?;
    Ok((columns.kind, columns.body))
}

/// Does what is due; how many jobs that were.
pub async fn do_once(app: &App, queue: Queue) -> anyhow::Result<usize> {
    let due = lease_due(&app.pool, queue, app.clock.now(), lease(app)).await?;
    let count = due.len();
    futures_util::stream::iter(due).for_each_concurrent(None, async |leased| work(app, leased).await).await;
    Ok(count)
}

/// Batch after batch until nothing is due, so that a rush does not wait for the next tick.
pub(crate) async fn drain(app: &App, queue: Queue) -> anyhow::Result<()> {
    while do_once(app, queue).await? > 0 {}
    Ok(())
}

/// Does one job now, unless a worker has it. Its failure is the worker's to repeat.
pub(crate) async fn run_now(app: &App, outbox_id: i64) -> crate::error::Result<()> {
    if let Some(leased) = lease_one(&app.pool, outbox_id, app.clock.now(), lease(app)).await? {
        work(app, leased).await;
    }
    Ok(())
}

async fn work(app: &App, leased: Leased) {
    let budget = budget(&app.settings);
    let performed = match tokio::time::timeout(budget, perform(app, &leased)).await {
        Ok(performed) => performed,
        // each kind bears being cut short, as it bears being killed
        Err(_) => Err(anyhow::anyhow!("not done within {budget:?}")),
    };
    if performed.is_ok() && leased.is_mail() {
        shared::crash::point("mail.sent");
    }
    let finished = match performed {
        Ok(()) => done(&app.pool, &leased, None, app.clock.now()).await,
        Err(error) => {
            let (outbox_id, kind, attempts) = (leased.outbox_id, leased.kind.as_str(), leased.attempts);
            let error = if leased.is_mail() { notify::anonymous(&error) } else { format!("{error:#}") };
            metrics::counter!(OUTBOX_FAILURES, "kind" => leased.kind.clone()).increment(1);
            if leased.is_stuck() {
                metrics::counter!(OUTBOX_GIVEN_UP, "kind" => leased.kind.clone()).increment(1);
                tracing::error!(outbox_id, kind, attempts, error, "outbox: somebody should look");
            } else {
                tracing::warn!(outbox_id, kind, attempts, error, "outbox");
            }
            // money and slots come again for ever: nothing else looks after them
            if leased.is_stuck() && leased.is_mail() {
                done(&app.pool, &leased, Some(&error), app.clock.now()).await
            } else {
                put_back(&app.pool, &leased, &error, app.clock.now()).await
            }
        }
    };
    match finished {
        Ok(true) => {}
        Ok(false) => tracing::warn!(outbox_id = leased.outbox_id, "outbox: another worker has the job by now"),
        // the lease runs out and the job is done again, which it must bear
        Err(error) => tracing::warn!(outbox_id = leased.outbox_id, %error, "outbox: the outcome could not be stored"),
    }
}

async fn perform(app: &App, leased: &Leased) -> anyhow::Result<()> {
    match leased.job()? {
        Job::Capture { booking_id, intent_id } => capture::capture(app, booking_id, &intent_id, leased.attempts).await,
        Job::Void { intent_id } => void::void(app, &intent_id).await,
        Job::EndPlace { drop_id, place } => end_place::end_place(app, &drop_id, &place).await,
        Job::TicketMail { booking_id } => app.notifier.send_tickets(app, booking_id).await,
        Job::RefusalMail { booking_id } => app.notifier.send_refusal(app, booking_id).await,
        Job::RefundMail { booking_id } => app.notifier.send_refund(app, booking_id).await,
        Job::LateMail { booking_id } => app.notifier.send_late(app, booking_id).await,
        Job::TurnMail { drop_id, place } => app.notifier.send_turn(app, &drop_id, &place).await,
    }
}

/// How long a worker may take for a job.
pub(crate) fn budget(settings: &Settings) -> Duration {
    Duration::from_secs(settings.outbox_lease_s).mul_f64(JOB_BUDGET)
}

/// # Errors
/// When a worker might be cancelling at the provider longer than everybody else takes that to be under way.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let (budget, voiding) = (budget(settings), attempts::VOIDING);
    anyhow::ensure!(
        budget <= voiding,
        "booking.outbox_lease_s is {}: three quarters of it must be at most {voiding:?}, which is how long a \
         cancellation at the provider is taken to be under way",
        settings.outbox_lease_s
    );
    Ok(())
}

/// How long a job is its worker's alone: so long nobody takes up what a worker that died had begun.
fn lease(app: &App) -> Duration {
    Duration::from_secs(app.settings.outbox_lease_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_fits_a_cancellation() {
        let lasting = |outbox_lease_s| Settings { outbox_lease_s, ..Settings::default() };
        assert!(check(&Settings::default()).is_ok() && check(&lasting(80)).is_ok());
        assert!(check(&lasting(81)).unwrap_err().to_string().starts_with("booking.outbox_lease_s is 81"));
    }
}
