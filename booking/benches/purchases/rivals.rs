//! The ways others take tickets, each with the three rows of a purchase, through the driver we use.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use redis::aio::MultiplexedConnection;
use sqlx::{PgPool, PgTransaction};

use crate::{
    hall::settle_down,
    ours::{Front, drive},
};

const CALLERS: usize = 512;
const SEATS: usize = 20_000;
const EVENT: i64 = 1;
/// Of a hold in Redis, in milliseconds.
const HOLD_MS: u64 = 600_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Rival {
    /// One purchase of the event at a time.
    AdvisoryLock,
    /// The first seat nobody else has locked.
    SkipLocked,
    /// A key with an end in Redis, then an update that counts its rows.
    RedisHold,
    /// A row of holds that an expired one gives way to.
    TakeOver,
}

pub(crate) const ALL: [Rival; 4] = [Rival::AdvisoryLock, Rival::SkipLocked, Rival::RedisHold, Rival::TakeOver];

impl Rival {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rival::AdvisoryLock => "one advisory lock an event",
            Rival::SkipLocked => "SKIP LOCKED rows",
            Rival::RedisHold => "Redis TTL, optimistic check",
            Rival::TakeOver => "upsert take-over",
        }
    }
}

pub(crate) async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    for sql in [
        "CREATE TABLE rival_tickets (ticket_id bigint PRIMARY KEY, event_id bigint NOT NULL,
                                     status text NOT NULL DEFAULT 'available', buyer bigint)",
        "CREATE INDEX rival_tickets_free ON rival_tickets (event_id, ticket_id) WHERE status = 'available'",
        "CREATE TABLE rival_holds (ticket_id bigint PRIMARY KEY, buyer bigint NOT NULL, ends_at timestamptz NOT NULL)",
        "CREATE TABLE rival_bookings (booking_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                      ticket_id bigint NOT NULL, buyer bigint NOT NULL,
                                      booked_at timestamptz NOT NULL DEFAULT now())",
        "CREATE TABLE rival_payments (payment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                      ticket_id bigint NOT NULL, amount bigint NOT NULL,
                                      paid_at timestamptz NOT NULL DEFAULT now())",
    ] {
        sqlx::query(sql).execute(pool).await?;
    }
    Ok(())
}

/// Seats taken a second.
pub(crate) async fn rate(pool: &PgPool, redis: &str, rival: Rival, time: Duration) -> anyhow::Result<f64> {
    sqlx::query("TRUNCATE rival_tickets, rival_holds, rival_bookings, rival_payments").execute(pool).await?;
    sqlx::query("INSERT INTO rival_tickets (ticket_id, event_id) SELECT generate_series(0, $1 - 1), $2")
        .bind(i64::try_from(SEATS)?)
        .bind(EVENT)
        .execute(pool)
        .await?;
    settle_down(pool).await?;
    let redis = redis::Client::open(redis)?.get_multiplexed_async_connection().await?;
    let shop = Arc::new(Shop { pool: pool.clone(), redis, rival, front: Front::new(SEATS) });
    let sold = move |number: usize| {
        let shop = shop.clone();
        async move { shop.sell(i64::try_from(number)?).await }
    };
    drive(CALLERS, SEATS - 2 * Front::HOT, time, sold).await
}

struct Shop {
    pool: PgPool,
    redis: MultiplexedConnection,
    rival: Rival,
    front: Front,
}

impl Shop {
    /// Until the buyer has a seat.
    async fn sell(&self, buyer: i64) -> anyhow::Result<()> {
        loop {
            let seat = self.front.seat().and_then(|seat| i64::try_from(seat).ok());
            let Some(seat) = seat else { anyhow::bail!("the front has reached the last row") };
            let sold = match self.rival {
                Rival::AdvisoryLock => self.with_advisory_lock(buyer).await?,
                Rival::SkipLocked => self.skipping_locked(buyer).await?,
                Rival::RedisHold => self.with_redis_hold(seat, buyer).await?,
                Rival::TakeOver => self.taking_over(seat, buyer).await?,
            };
            if sold {
                self.front.taken();
                return Ok(());
            }
        }
    }

    async fn with_advisory_lock(&self, buyer: i64) -> anyhow::Result<bool> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(EVENT).execute(&mut *tx).await?;
        let seat: i64 = sqlx::query_scalar(
            "SELECT ticket_id FROM rival_tickets WHERE event_id = $1 AND status = 'available' ORDER BY ticket_id LIMIT 1",
        )
        .bind(EVENT)
        .fetch_one(&mut *tx)
        .await?;
        ensure!(take(&mut tx, seat, buyer).await?, "a seat was taken behind the lock");
        book(tx, seat, buyer).await
    }

    async fn skipping_locked(&self, buyer: i64) -> anyhow::Result<bool> {
        let mut tx = self.pool.begin().await?;
        let seat: i64 = sqlx::query_scalar(
            "SELECT ticket_id FROM rival_tickets WHERE event_id = $1 AND status = 'available' ORDER BY ticket_id LIMIT 1
             FOR UPDATE SKIP LOCKED",
        )
        .bind(EVENT)
        .fetch_one(&mut *tx)
        .await?;
        ensure!(take(&mut tx, seat, buyer).await?, "a locked seat was taken");
        book(tx, seat, buyer).await
    }

    async fn with_redis_hold(&self, seat: i64, buyer: i64) -> anyhow::Result<bool> {
        let held: Option<String> = redis::cmd("SET")
            .arg(format!("hold:{seat}"))
            .arg(buyer)
            .arg("NX")
            .arg("PX")
            .arg(HOLD_MS)
            .query_async(&mut self.redis.clone())
            .await?;
        if held.is_none() {
            return Ok(false);
        }
        let mut tx = self.pool.begin().await?;
        if !take(&mut tx, seat, buyer).await? {
            return Ok(false);
        }
        book(tx, seat, buyer).await
    }

    async fn taking_over(&self, seat: i64, buyer: i64) -> anyhow::Result<bool> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query(
            "INSERT INTO rival_holds (ticket_id, buyer, ends_at) VALUES ($1, $2, now() + interval '10 minutes')
             ON CONFLICT (ticket_id) DO UPDATE SET buyer = EXCLUDED.buyer, ends_at = EXCLUDED.ends_at
             WHERE rival_holds.ends_at < now()",
        )
        .bind(seat)
        .bind(buyer)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        book(tx, seat, buyer).await
    }
}

async fn take(tx: &mut PgTransaction<'_>, seat: i64, buyer: i64) -> sqlx::Result<bool> {
    let sql = "UPDATE rival_tickets SET status = 'purchased', buyer = $2 WHERE ticket_id = $1 AND status = 'available'";
    let done = sqlx::query(sql).bind(seat).bind(buyer).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

async fn book(mut tx: PgTransaction<'_>, seat: i64, buyer: i64) -> anyhow::Result<bool> {
    sqlx::query("INSERT INTO rival_bookings (ticket_id, buyer) VALUES ($1, $2)")
        .bind(seat)
        .bind(buyer)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO rival_payments (ticket_id, amount) VALUES ($1, 1000)")
        .bind(seat)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}
