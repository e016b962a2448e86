//! Halls as large as the measurements need, and fans who were all admitted. Made set by set.

use std::{sync::Arc, time::Duration};

use booking::purchase::{
    reserve::Draft,
    sale::{self, Sale},
};
use jiff::Timestamp;
use shared::{clock::Clock, encoding};
use sqlx::PgPool;
use uuid::Uuid;

/// Accounts: nobody buys twice in one sale.
const FANS: i64 = 60_000;

/// The accounts, and a new event for every measurement.
pub(crate) struct Hall {
    pub(crate) pool: PgPool,
    fans: Vec<Uuid>,
    sales: u32,
}

/// An event with free seats, and fans who come one after the other.
pub(crate) struct Evening {
    pub(crate) event_id: Uuid,
    pub(crate) drop_id: String,
    sale: Arc<Sale>,
    /// By ordinal.
    pub(crate) tickets: Vec<i64>,
    fans: Vec<Uuid>,
    pub(crate) now: Timestamp,
}

impl Hall {
    pub(crate) async fn build(pool: PgPool) -> anyhow::Result<Self> {
        let fans = sqlx::query_scalar(
            "INSERT INTO users (user_id, username, password, email, email_index)
             SELECT gen_random_uuid(), 'fan', '', '', int8send(n) FROM generate_series(1, $1) AS n RETURNING user_id",
        )
        .bind(FANS)
        .fetch_all(&pool)
        .await?;
        sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, 'a hall')")
            .bind(Uuid::nil())
            .execute(&pool)
            .await?;
        Ok(Self { pool, fans, sales: 0 })
    }

    /// `seats` of one event, all free, at most as many as there are fans.
    pub(crate) async fn evening(&mut self, seats: usize) -> anyhow::Result<Evening> {
        self.sales += 1;
        let (event_id, drop_id, pool) = (Uuid::now_v7(), format!("evening-{}", self.sales), &self.pool);
        sqlx::query(
            "INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, 'An evening', current_date + 100, $2)",
        )
        .bind(event_id)
        .bind(Uuid::nil())
        .execute(pool)
        .await?;
        sqlx::query("INSERT INTO drops (drop_id, rate_per_minute, seed) VALUES ($1, 6000, $2)")
            .bind(&drop_id)
            .bind([0_u8; 32].as_slice())
            .execute(pool)
            .await?;
        sqlx::query("INSERT INTO drop_events (event_id, drop_id) VALUES ($1, $2)")
            .bind(event_id)
            .bind(&drop_id)
            .execute(pool)
            .await?;
        let tickets = sqlx::query_scalar(
            "INSERT INTO tickets (event_id, seat_number, ordinal, tier, price)
             SELECT $1, 'S-' || n, n, 'standard', 1000 FROM generate_series(0, $2 - 1) AS n RETURNING ticket_id",
        )
        .bind(event_id)
        .bind(i32::try_from(seats)?)
        .fetch_all(pool)
        .await?;
        settle_down(pool).await?;
        let sale = Arc::new(sale::of_event(pool, event_id).await?);
        Ok(Evening { event_id, drop_id, sale, tickets, fans: self.fans.clone(), now: Clock::system().now() })
    }
}

impl Evening {
    pub(crate) fn seats(&self) -> usize {
        self.tickets.len().min(self.fans.len())
    }

    /// Fans want seats in no order: another one for every number below [`Self::seats`].
    pub(crate) fn seat_of(&self, number: usize) -> i64 {
        const STRIDE: usize = 48_271; // a prime that divides no number of seats here
        self.tickets[number * STRIDE % self.seats()]
    }

    /// What the fan of this number asks for.
    pub(crate) fn draft(&self, number: usize) -> Arc<Draft> {
        let place: [u8; 16] = encoding::random();
        let until = self.now + Duration::from_secs(900);
        Arc::new(Draft {
            booking_id: Uuid::new_v4(),
            event_id: self.event_id,
            sale: self.sale.clone(),
            user_id: self.fans[number],
            key: Uuid::new_v4().to_string(),
            fingerprint: [7; 32],
            place: encoding::base64url(&place),
            jti: Uuid::new_v4().to_string(),
            admitted_at: self.now,
            admitted_until: until,
            returned_first: Duration::from_secs(120),
            max_price: None,
            now: self.now,
            expires_at: until,
        })
    }
}

/// No measurement pays for what the one before has left to the disk, nor for plans made for empty tables.
pub(crate) async fn settle_down(pool: &PgPool) -> sqlx::Result<()> {
    for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::query(sql).execute(pool).await?;
    }
    Ok(())
}
