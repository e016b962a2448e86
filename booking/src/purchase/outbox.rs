//! What must happen after a commit: written by that commit, done at least once, each kind idempotent.
//!
//! A job is leased by timestamp, so a worker that dies gives it back by itself; any number of workers in
//! any number of processes share the table. Mails have a queue of their own, so that a mail server that hangs holds
//! up neither money nor the slots of a line.

mod capture;
mod end_place;
mod void;

use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::app::App;
use crate::notify;

/// The part of its lease (`booking.outbox_lease_s`) that a worker may take for a job: what is left is for writing down
/// what came of it.
const JOB_BUDGET: f64 = 0.75;
/// Jobs leased at once: only as many as are worked on at the same time, because a lease runs from its start.
const BATCH_MAX: i64 = 8;
/// Pause after the first failure; doubles with each, up to the longest: a minute for deeds, so that money is settled
/// soon after the longest outage.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
const MAIL_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// A mail is given up after so many tries (about two days); money never is.
const MAIL_ATTEMPTS_MAX: i32 = 600;

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

/// Unless the same job waits already. Two at the same instant may both be written, which costs a call.
pub(crate) async fn enqueue_once(db: impl PgExecutor<'_>, job: &Job, now: Timestamp) -> crate::error::Result<()> {
    let (kind, body) = columns(job)?;
    sqlx::query(
        "INSERT INTO outbox (kind, body, run_at, created_at) SELECT $1, $2, $3, $3
         WHERE NOT EXISTS (SELECT FROM outbox WHERE kind = $1 AND body = $2 AND done_at IS NULL)",
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

#[derive(Debug, FromRow)]
struct Leased {
    outbox_id: i64,
    kind: String,
    body: serde_json::Value,
    /// This try included.
    attempts: i32,
}

impl Leased {
    fn is_mail(&self) -> bool {
        self.kind.ends_with("-mail")
    }

    fn job(&self) -> anyhow::Result<Job> {
        let job = serde_json::json!({ "kind": self.kind, "body": self.body });
        serde_json::from_value(job).with_context(|| format!("outbox job of kind {}", self.kind))
    }
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
    let budget = lease(app).mul_f64(JOB_BUDGET);
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
            let is_mail = leased.is_mail();
            let error = if is_mail { notify::anonymous(&error) } else { format!("{error:#}") };
            if is_mail && leased.attempts >= MAIL_ATTEMPTS_MAX {
                tracing::error!(outbox_id = leased.outbox_id, kind = leased.kind, error, "mail given up");
                done(&app.pool, &leased, Some(&error), app.clock.now()).await
            } else {
                tracing::warn!(
                    outbox_id = leased.outbox_id,
                    kind = leased.kind,
                    attempts = leased.attempts,
                    error,
                    "outbox"
                );
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
        Job::TurnMail { drop_id, place } => app.notifier.send_turn(app, &drop_id, &place).await,
    }
}

/// The statement, for a queue's kinds: a literal condition, because an index stands on it.
macro_rules! lease {
    ($kinds:literal) => {
        concat!(
            "UPDATE outbox SET attempts = attempts + 1, run_at = $2 WHERE outbox_id IN (
                 SELECT outbox_id FROM outbox WHERE done_at IS NULL AND run_at <= $1 AND ",
            $kinds,
            " ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING outbox_id, kind, body, attempts"
        )
    };
}

/// How long a job is its worker's alone: so long nobody takes up what a worker that died had begun.
fn lease(app: &App) -> Duration {
    Duration::from_secs(app.settings.outbox_lease_s)
}

async fn lease_due(
    db: impl PgExecutor<'_>,
    queue: Queue,
    now: Timestamp,
    lease: Duration,
) -> anyhow::Result<Vec<Leased>> {
    Ok(sqlx::query_as(match queue {
        Queue::Deeds => lease!("kind NOT LIKE '%-mail'"),
        Queue::Mails => lease!("kind LIKE '%-mail'"),
    })
    .bind(now.to_sqlx())
    .bind(now.saturating_add(lease)?.to_sqlx())
    .bind(BATCH_MAX)
    .fetch_all(db)
    .await?)
}

async fn lease_one(
    db: impl PgExecutor<'_>,
    outbox_id: i64,
    now: Timestamp,
    lease: Duration,
) -> crate::error::Result<Option<Leased>> {
    let until = now.saturating_add(lease).map_err(anyhow::Error::from)?;
    Ok(sqlx::query_as(
        "UPDATE outbox SET attempts = attempts + 1, run_at = $3
         WHERE outbox_id = $1 AND done_at IS NULL AND run_at <= $2
         RETURNING outbox_id, kind, body, attempts",
    )
    .bind(outbox_id)
    .bind(now.to_sqlx())
    .bind(until.to_sqlx())
    .fetch_optional(db)
    .await?)
}

/// False when the lease ran out and another worker has taken the job since: its word counts.
async fn done(
    db: impl PgExecutor<'_>,
    leased: &Leased,
    last_error: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let done = sqlx::query(
        "UPDATE outbox SET done_at = $3, last_error = COALESCE($4, last_error)
         WHERE outbox_id = $1 AND attempts = $2 AND done_at IS NULL",
    )
    .bind(leased.outbox_id)
    .bind(leased.attempts)
    .bind(now.to_sqlx())
    .bind(last_error)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// As [`done`].
async fn put_back(db: impl PgExecutor<'_>, leased: &Leased, error: &str, now: Timestamp) -> anyhow::Result<bool> {
    let run_at = now.saturating_add(backoff(leased.attempts, leased.is_mail()))?;
    let done = sqlx::query(
        "UPDATE outbox SET run_at = $3, last_error = $4 WHERE outbox_id = $1 AND attempts = $2 AND done_at IS NULL",
    )
    .bind(leased.outbox_id)
    .bind(leased.attempts)
    .bind(run_at.to_sqlx())
    .bind(error)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn backoff(attempts: i32, is_mail: bool) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    (BACKOFF * 2_u32.pow(doublings)).min(if is_mail { MAIL_BACKOFF_MAX } else { BACKOFF_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_its_columns() {
        let job = Job::Capture { booking_id: Uuid::nil(), intent_id: "pi_1".to_owned() };
        let (kind, body) = columns(&job).unwrap();
        assert_eq!(kind, "capture");
        assert_eq!(Leased { outbox_id: 1, kind, body, attempts: 1 }.job().unwrap(), job);
    }

    #[test]
    fn backoff_doubles_up_to_a_minute_or_five() {
        let seconds = |is_mail| [1, 2, 3, 7, 9, 10, 600].map(|attempts| backoff(attempts, is_mail).as_secs());
        assert_eq!(seconds(false), [1, 2, 4, 60, 60, 60, 60]);
        assert_eq!(seconds(true), [1, 2, 4, 64, 256, 300, 300]);
    }
}
