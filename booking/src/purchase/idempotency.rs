//! The idempotency table: the same request under the same key is done once and answered the same.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor, PgPool};
use uuid::Uuid;

use crate::error::{Error, Result};

/// A request older than this is thought dead; the next one under its key resumes it. Resuming one that is
/// alive after all is harmless: its steps are idempotent.
pub const LEASE: Duration = Duration::from_secs(10);
/// How long an answer is kept; afterwards the key is as good as new.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// A fan's key with what was asked under it.
pub(crate) struct Key<'a> {
    pub(crate) user_id: Uuid,
    pub(crate) key: &'a str,
    /// SHA-256 of method, path and body.
    pub(crate) fingerprint: [u8; 32],
}

/// What is to be done about a request.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing was done under this key.
    Start,
    /// Begun and not answered; the booking, where one was made, or was changed by what must not be done again.
    Resume(Option<Uuid>),
    /// It was done; this was the answer.
    Replay(Answer),
}

/// What a write is told of the key it is done under, in the request's extensions: one that does not bear being done
/// again writes into its own transaction that it was done, by [`mark`].
#[derive(Clone, Debug)]
pub(crate) struct Under {
    pub(crate) key: String,
    /// Done before, by a request that died before it had answered.
    pub(crate) is_done: bool,
}

/// A stored answer, sent again byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

#[derive(FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    booking_id: Option<Uuid>,
    status: Option<i16>,
    response: Option<String>,
    locked_at: jiff_sqlx::Timestamp,
    created_at: jiff_sqlx::Timestamp,
}

/// Looks, and takes over what a dead request left.
///
/// # Errors
/// `IdempotencyMismatch`, `InFlight`
pub(crate) async fn next(pool: &PgPool, key: &Key<'_>, now: Timestamp) -> Result<Next> {
    let Some(row) = find(pool, key).await? else { return Ok(Next::Start) };
    let old = now.saturating_sub(KEPT).map_err(anyhow::Error::from)?;
    if row.created_at.to_jiff() <= old {
        forget(pool, key, old).await?;
        return Ok(Next::Start);
    }
    if row.fingerprint != key.fingerprint {
        return Err(Error::IdempotencyMismatch);
    }
    if let Some(answer) = row.answer() {
        return Ok(Next::Replay(answer));
    }
    let dead = now.saturating_sub(LEASE).map_err(anyhow::Error::from)?;
    if row.locked_at.to_jiff() > dead {
        return Err(Error::InFlight);
    }
    if take_over(pool, key, row.locked_at.to_jiff(), now).await? {
        Ok(Next::Resume(row.booking_id))
    } else {
        Err(Error::InFlight)
    }
}

/// As [`next`], and takes the key where nothing was done under it: for a write that keeps its record apart.
///
/// # Errors
/// `IdempotencyMismatch`, `InFlight`
pub(crate) async fn begin(pool: &PgPool, key: &Key<'_>, now: Timestamp) -> Result<Next> {
    match next(pool, key, now).await? {
        Next::Start if take(pool, key, now).await? => Ok(Next::Start),
        Next::Start => Err(Error::InFlight),
        step => Ok(step),
    }
}

impl Row {
    fn answer(&self) -> Option<Answer> {
        Some(Answer { status: u16::try_from(self.status?).ok()?, body: self.response.clone()? })
    }
}

async fn find(db: impl PgExecutor<'_>, key: &Key<'_>) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "SELECT fingerprint, booking_id, status, response, locked_at, created_at FROM idempotency
         WHERE user_id = $1 AND key = $2",
    )
    .bind(key.user_id)
    .bind(key.key)
    .fetch_optional(db)
    .await
}

/// False when another request has taken it meanwhile.
async fn take(db: impl PgExecutor<'_>, key: &Key<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO idempotency (user_id, key, fingerprint, locked_at, created_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (user_id, key) DO NOTHING",
    )
    .bind(key.user_id)
    .bind(key.key)
    .bind(key.fingerprint.as_slice())
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Its day is over.
async fn forget(db: impl PgExecutor<'_>, key: &Key<'_>, old: Timestamp) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM idempotency WHERE user_id = $1 AND key = $2 AND created_at <= $3")
        .bind(key.user_id)
        .bind(key.key)
        .bind(old.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}

/// One of several retries wins.
async fn take_over(db: impl PgExecutor<'_>, key: &Key<'_>, seen_at: Timestamp, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE idempotency SET locked_at = $4
         WHERE user_id = $1 AND key = $2 AND status IS NULL AND locked_at = $3",
    )
    .bind(key.user_id)
    .bind(key.key)
    .bind(seen_at.to_sqlx())
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down that the key's request is done, in the transaction that does it: a resumed one only answers. False when
/// another request under the key has done it meanwhile; then the transaction is to be given up.
pub(crate) async fn mark(db: impl PgExecutor<'_>, user_id: Uuid, key: &str, booking_id: Uuid) -> sqlx::Result<bool> {
    let done =
        sqlx::query("UPDATE idempotency SET booking_id = $3 WHERE user_id = $1 AND key = $2 AND booking_id IS NULL")
            .bind(user_id)
            .bind(key)
            .bind(booking_id)
            .execute(db)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the answer, or returns the one that a request under way at the same time stored before.
pub(crate) async fn finish(db: impl PgExecutor<'_>, key: &Key<'_>, answer: Answer) -> Result<Answer> {
    let (status, body): (i16, String) = sqlx::query_as(
        "UPDATE idempotency SET status = COALESCE(status, $3), response = COALESCE(response, $4)
         WHERE user_id = $1 AND key = $2 RETURNING status, response",
    )
    .bind(key.user_id)
    .bind(key.key)
    .bind(i16::try_from(answer.status).map_err(anyhow::Error::from)?)
    .bind(answer.body)
    .fetch_one(db)
    .await?;
    Ok(Answer { status: u16::try_from(status).map_err(anyhow::Error::from)?, body })
}

/// The request failed halfway and said so: a retry may resume at once.
pub(crate) async fn unlock(db: impl PgExecutor<'_>, key: &Key<'_>, now: Timestamp) -> Result<()> {
    let dead = now.saturating_sub(LEASE * 2).map_err(anyhow::Error::from)?;
    sqlx::query("UPDATE idempotency SET locked_at = $3 WHERE user_id = $1 AND key = $2 AND status IS NULL")
        .bind(key.user_id)
        .bind(key.key)
        .bind(dead.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}
