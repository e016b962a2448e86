//! Where checkouts and decisions queue up: whatever waits when a lane is free goes next, in one transaction. No timer:
//! one fan alone goes at once, and while a transaction is under way the next fans gather.
//!
//! What a fan does stays in one lane, so that a second click finds what the first one did instead of meeting it.

mod lane;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::lifecycle::Lifecycle;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::reserve::{self, Draft, Outcome, Wanted, Wish};
use super::sell::{self, Decision, Sold};
use crate::error::{Error, Result};

/// Head of a statement that locks the places of `$1` (drops) and `$2` (places), in one order, before it does anything else:
/// `(SELECT count(*) FROM places)` is known only then. By LATERAL, so that each is looked up by its key. `places` are those
/// that were redeemed before: their position in `$1`, whose they are and when they ended.
macro_rules! lock_places {
    ($statement:literal $(,)?) => {
        concat!(
            "WITH places AS MATERIALIZED (
                 SELECT position, user_id, ended_at
                 FROM (SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (drop_id, place, position)
                       ORDER BY 1, 2) w
                      CROSS JOIN LATERAL (SELECT user_id, ended_at FROM redemptions r
                                          WHERE r.drop_id = w.drop_id AND r.place = w.place LIMIT 1 FOR UPDATE) r) ",
            $statement
        )
    };
}
pub(crate) use lock_places;

pub(crate) use lane::{Batch, Failure, Step};
use lane::{Desk, Waiting};

/// Lanes of each kind in a process: while one waits for the disk, the others compute. Each has one connection at a
/// time.
const LANES: usize = 3;
/// How their connections are set. Rows are looked up by index, however small the planner takes a table for: it keeps the
/// plans it made when the tables were young, and rows come by the hundred thousand in an evening. And it plans once: a
/// plan that suits one batch suits all.
const CONNECTION: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];
/// Longest wait for the database to take a connection of a lane's.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Fans that may wait in one lane; beyond it they are told to come back.
const WAITING_MAX: usize = 4_096;

/// Takes bookings and decides about them, many at a time. A cheap handle; its lanes end with the last one.
#[derive(Clone)]
pub struct Counter {
    checkouts: Lanes<Checkouts>,
    decisions: Lanes<Decisions>,
}

impl Counter {
    /// Lanes outlive the drain, because requests under way need them; should one die, so does the process.
    pub fn open(pool: &PgPool, lifecycle: &Lifecycle) -> Self {
        let pool = &connections(pool);
        Self {
            checkouts: Lanes::open(lifecycle, "checkouts", || Checkouts {
                pool: pool.clone(),
                marks: RandomState::new(),
            }),
            decisions: Lanes::open(lifecycle, "decisions", || Decisions {
                pool: pool.clone(),
                marks: RandomState::new(),
            }),
        }
    }

    /// Makes the booking, if it can be made.
    ///
    /// # Errors
    /// What stands in the way besides the seats: `PlaceBound`, `PlaceEnded`, `BookingOpen`, `Unpayable`, `Limit`.
    pub async fn reserve(&self, draft: Arc<Draft>, wanted: Wanted) -> Result<Outcome> {
        let fan = draft.user_id;
        self.checkouts.ask(fan, Wish { draft, wanted }).await
    }

    /// Sells the booking's tickets to the fan whose `intent_id` is authorised.
    pub async fn sell(&self, booking_id: Uuid, intent_id: &str, now: Timestamp) -> Result<Sold> {
        self.decisions.ask(booking_id, Decision { booking_id, intent_id: intent_id.to_owned(), now }).await
    }
}

/// One for each lane, of its own: no lane waits until somebody who only reads gives one back.
fn connections(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("onsale-counter").options(CONNECTION);
    let lanes = u32::try_from(2 * LANES).unwrap_or(u32::MAX);
    PgPoolOptions::new()
        .max_connections(lanes)
        .acquire_timeout(CONNECT_MAX)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

struct Lanes<D: Desk> {
    lanes: [mpsc::Sender<Waiting<D>>; LANES],
}

impl<D: Desk> Clone for Lanes<D> {
    fn clone(&self) -> Self {
        Self { lanes: self.lanes.clone() }
    }
}

impl<D: Desk> Lanes<D> {
    fn open(lifecycle: &Lifecycle, name: &'static str, desk: impl Fn() -> D) -> Self {
        let lanes = std::array::from_fn(|_| {
            let (asks, incoming) = mpsc::channel(WAITING_MAX);
            lifecycle.guard(name, tokio::spawn(lane::work(desk(), incoming)));
            asks
        });
        Self { lanes }
    }

    async fn ask(&self, whose: Uuid, ask: D::Ask) -> Result<D::Told> {
        let (reply, answer) = oneshot::channel();
        // random or a hash, in its last bits, too
        let lane = &self.lanes[whose.as_u128() as usize % LANES];
        lane.try_send(Waiting::new(ask, reply)).map_err(|_| Error::Crowded)?;
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable(anyhow::anyhow!("a lane of the counter has died"))))
    }
}

struct Checkouts {
    pool: PgPool,
    marks: RandomState,
}

impl Desk for Checkouts {
    type Ask = Wish;
    type Told = Outcome;

    /// Two of one account share its key, its limit and its live place; two of one place, its redemption.
    fn marks(&self, wish: &Wish) -> [u64; 2] {
        let draft = &wish.draft;
        [self.marks.hash_one(draft.user_id), self.marks.hash_one((&draft.sale.drop_id, &draft.place))]
    }

    async fn decide(&self, wishes: &[Wish]) -> Batch<Outcome> {
        reserve::reserve(&self.pool, wishes).await
    }

    fn is_overtaken(error: &sqlx::Error) -> bool {
        reserve::is_overtaken(error)
    }

    fn refusal(error: sqlx::Error) -> Error {
        reserve::refusal(error)
    }
}

struct Decisions {
    pool: PgPool,
    marks: RandomState,
}

impl Desk for Decisions {
    type Ask = Decision;
    type Told = Sold;

    fn marks(&self, decision: &Decision) -> [u64; 2] {
        [self.marks.hash_one(decision.booking_id), self.marks.hash_one(&decision.intent_id)]
    }

    async fn decide(&self, decisions: &[Decision]) -> Batch<Sold> {
        sell::sell(&self.pool, decisions).await
    }

    fn is_overtaken(_error: &sqlx::Error) -> bool {
        false
    }

    fn refusal(error: sqlx::Error) -> Error {
        error.into()
    }
}
