//! Rows of the outbox table, each one worker's at a time.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};

use super::{Job, Queue};

/// Jobs leased at once: only as many as are worked on at the same time, because a lease runs from its start.
const BATCH_MAX: i64 = 8;
/// Pause after the first failure; doubles with each, up to the longest: a minute for deeds, so that money is settled
/// soon after an outage.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
const MAIL_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// A mail is given up after so many tries (about two days).
const MAIL_ATTEMPTS_MAX: i32 = 600;
/// A deed that has failed so often (about two days) is for a person, a refund that the bank refuses each time, say. It is
/// not given up, because it may as well have been an outage: it comes again after this pause.
const DEED_ATTEMPTS_MAX: i32 = 3_000;
const STUCK_BACKOFF: Duration = Duration::from_secs(3_600);

/// A job that is this worker's alone, for a while.
#[derive(Debug, FromRow)]
pub(super) struct Leased {
    pub(super) outbox_id: i64,
    pub(super) kind: String,
    body: serde_json::Value,
    /// This try included.
    pub(super) attempts: i32,
}

impl Leased {
    pub(super) fn is_mail(&self) -> bool {
        self.kind.ends_with("-mail")
    }

    /// It has been tried so often that somebody should look.
    pub(super) fn is_stuck(&self) -> bool {
        self.attempts >= if self.is_mail() { MAIL_ATTEMPTS_MAX } else { DEED_ATTEMPTS_MAX }
    }

    fn backoff(&self) -> Duration {
        let doublings = u32::try_from(self.attempts.saturating_sub(1)).unwrap_or(0).min(16);
        match BACKOFF * 2_u32.pow(doublings) {
            pause if self.is_mail() => pause.min(MAIL_BACKOFF_MAX),
            _ if self.is_stuck() => STUCK_BACKOFF,
            pause => pause.min(BACKOFF_MAX),
        }
    }

    pub(super) fn job(&self) -> anyhow::Result<Job> {
        let job = serde_json::json!({ "kind": self.kind, "body": self.body });
        serde_json::from_value(job).with_context(|| format!("outbox job of kind {}", self.kind))
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

pub(super) async fn lease_due(
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

pub(super) async fn lease_one(
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
pub(super) async fn done(
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
pub(super) async fn put_back(
    db: impl PgExecutor<'_>,
    leased: &Leased,
    error: &str,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let run_at = now.saturating_add(leased.backoff())?;
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::columns;
    use super::*;

    #[test]
    fn a_job_survives_its_columns() {
        let job = Job::Capture { booking_id: Uuid::nil(), intent_id: "pi_1".to_owned() };
        let (kind, body) = columns(&job).unwrap();
        assert_eq!(kind, "capture");
        assert_eq!(Leased { outbox_id: 1, kind, body, attempts: 1 }.job().unwrap(), job);
    }

    #[test]
    fn backoff_doubles_up_to_a_minute_or_five_and_is_an_hour_for_a_deed_that_is_stuck() {
        let seconds = |kind: &str| {
            [1, 2, 3, 7, 9, 10, 600, 2_999, 3_000, i32::MAX].map(|attempts| {
                let kind = kind.to_owned();
                Leased { outbox_id: 1, kind, body: serde_json::Value::Null, attempts }.backoff().as_secs()
            })
        };
        assert_eq!(seconds("void"), [1, 2, 4, 60, 60, 60, 60, 60, 3_600, 3_600]);
        assert_eq!(seconds("ticket-mail"), [1, 2, 4, 64, 256, 300, 300, 300, 300, 300]);
    }
}
