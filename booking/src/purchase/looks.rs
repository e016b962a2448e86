//! The provider_looks table: a booking is asked about by one poller and one expiry at a time, and not too often.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::error::Result;

/// Who asks the provider by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// About open bookings, whose fans may have paid without our hearing of it.
    Poller,
    /// About bookings whose time is up.
    Expiry,
}

/// How often all processes together may ask: at most so many bookings in any stretch of this length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) bookings: i64,
    pub(crate) within: Duration,
}

impl Asker {
    fn as_str(self) -> &'static str {
        match self {
            Asker::Poller => "poller",
            Asker::Expiry => "expiry",
        }
    }
}

/// Open bookings made before `before` that wait for a payment that has begun, in no particular order: this process's
/// alone for `lease`, in which no other asks about them either. None while another process is choosing.
pub(crate) async fn lease_open(
    pool: &PgPool,
    before: Timestamp,
    share: Share,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let until = now.saturating_add(lease).map_err(anyhow::Error::from)?;
    // what was leased within the share's stretch is free a stretch before what is leased now
    let counted = until.saturating_sub(share.within).map_err(anyhow::Error::from)?;
    let mut tx = pool.begin().await?;
    // one at a time, or two would both take what is left of the share
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('provider looks', 0))")
        .fetch_one(&mut *tx)
        .await?;
    if !alone {
        return Ok(Vec::new());
    }
    let leased = sqlx::query_scalar(
        "WITH due AS MATERIALIZED (
             SELECT b.booking_id FROM bookings b
             LEFT JOIN provider_looks l ON l.asker = $1 AND l.booking_id = b.booking_id
             WHERE b.status = 'pending' AND b.phase = 'open' AND b.booking_date <= $2
               AND (l.free_at IS NULL OR l.free_at <= $3)
               AND EXISTS (SELECT FROM payment_attempts a WHERE a.booking_id = b.booking_id AND a.status = 'created')
             ORDER BY random()
             LIMIT greatest(0, $6 - (SELECT count(*) FROM provider_looks WHERE asker = $1 AND free_at > $5)))
         INSERT INTO provider_looks AS l (asker, booking_id, free_at) SELECT $1, booking_id, $4 FROM due
         ON CONFLICT (asker, booking_id) DO UPDATE SET free_at = EXCLUDED.free_at
         RETURNING booking_id",
    )
    .bind(Asker::Poller.as_str())
    .bind(before.to_sqlx())
    .bind(now.to_sqlx())
    .bind(until.to_sqlx())
    .bind(counted.to_sqlx())
    .bind(share.bookings)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(leased)
}

/// A booking that is this process's to ask about.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) booking_id: Uuid,
    asker: Asker,
    until: Timestamp,
}

/// Bookings whose time is up: first those that ended before `capped`, whose seats wait for nobody any more, then the
/// others; among them in no particular order, so that some that wait long do not hold up the rest. A process that dies
/// gives them back after `lease`.
pub(crate) async fn lease_expiring(
    db: impl PgExecutor<'_>,
    limit: usize,
    capped: Timestamp,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Lease>> {
    let (asker, until) = (Asker::Expiry, now.saturating_add(lease).map_err(anyhow::Error::from)?);
    // two that choose the same one at the same time: the second waits for the first, and finds it taken
    let leased: Vec<Uuid> = sqlx::query_scalar(
        "WITH due AS MATERIALIZED (
             SELECT b.booking_id FROM bookings b
             LEFT JOIN provider_looks l ON l.asker = $1 AND l.booking_id = b.booking_id
             WHERE b.status = 'pending' AND b.phase = 'expiring' AND (l.free_at IS NULL OR l.free_at <= $2)
             ORDER BY b.expires_at <= $5 DESC, random() LIMIT $4)
         INSERT INTO provider_looks AS l (asker, booking_id, free_at) SELECT $1, booking_id, $3 FROM due
         ORDER BY booking_id
         ON CONFLICT (asker, booking_id) DO UPDATE SET free_at = EXCLUDED.free_at WHERE l.free_at <= $2
         RETURNING booking_id",
    )
    .bind(asker.as_str())
    .bind(now.to_sqlx())
    .bind(until.to_sqlx())
    .bind(i64::try_from(limit).map_err(anyhow::Error::from)?)
    .bind(capped.to_sqlx())
    .fetch_all(db)
    .await?;
    Ok(leased.into_iter().map(|booking_id| Lease { booking_id, asker, until }).collect())
}

impl Lease {
    /// Others may ask from `free_at` on. Nothing of it, if it had run out and another process has the booking.
    pub(crate) async fn end(self, db: impl PgExecutor<'_>, free_at: Timestamp) -> sqlx::Result<()> {
        sqlx::query("UPDATE provider_looks SET free_at = $4 WHERE asker = $1 AND booking_id = $2 AND free_at = $3")
            .bind(self.asker.as_str())
            .bind(self.booking_id)
            .bind(self.until.to_sqlx())
            .bind(free_at.to_sqlx())
            .execute(db)
            .await?;
        Ok(())
    }
}
