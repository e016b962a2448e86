//! Our store, driven through its counter.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use booking::{
    purchase::{
        counter::Counter,
        reserve::{Draft, Outcome, Wanted},
        sell::Sold,
    },
    seats::holds::{Hint, Holds},
};
use shared::{lifecycle::Lifecycle, private_stack::PrivatePostgres, redis::Redis};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    hall::{Evening, Hall, settle_down},
    plain, pool,
};

/// Seats of an evening that nobody fights over; a measurement ends when they are gone.
const SEATS: usize = 50_000;
/// Purchases of one caller alone, of each kind.
const ALONE: usize = 300;
/// The contended event, and who wants to go.
const CONTENDED_SEATS: usize = 20_000;
const CONTENDERS: usize = 512;
/// Redis may take its time here: without its answer it would be another measurement.
const HOLD_BUDGET: Duration = Duration::from_secs(5);
/// How long a booking keeps its seats in Redis.
const KEPT: Duration = Duration::from_secs(1_500);

/// A second.
pub(crate) struct Rate {
    pub(crate) checkouts: f64,
    pub(crate) decisions: f64,
    pub(crate) purchases: f64,
}

pub(crate) struct Alone {
    // medians
    pub(crate) checkout_plain_us: f64,
    pub(crate) checkout_ours_us: f64,
    pub(crate) decision_plain_us: f64,
    pub(crate) decision_ours_us: f64,
}

pub(crate) struct Contended {
    // a second
    pub(crate) taken: f64,
    pub(crate) answered: f64,
}

pub(crate) async fn rates(hall: &mut Hall, callers: usize, time: Duration) -> anyhow::Result<Rate> {
    let counter = Counter::open(&hall.pool, &Lifecycle::new());
    let evening = Arc::new(hall.evening(SEATS).await?);
    let booked = Arc::new(Mutex::new(Vec::with_capacity(SEATS)));
    let taking = {
        let (counter, evening, booked) = (counter.clone(), evening.clone(), booked.clone());
        move |number| {
            let (counter, evening, booked) = (counter.clone(), evening.clone(), booked.clone());
            async move {
                let booking_id = take(&counter, &evening, number).await?;
                booked.lock().unwrap_or_else(PoisonError::into_inner).push(booking_id);
                anyhow::Ok(())
            }
        }
    };
    let checkouts = drive(callers, evening.seats(), time, taking).await?;
    give_intents(&hall.pool).await?;
    let bookings = Arc::new(std::mem::take(&mut *booked.lock().unwrap_or_else(PoisonError::into_inner)));
    let deciding = {
        let (counter, evening, bookings) = (counter.clone(), evening.clone(), bookings.clone());
        move |number: usize| {
            let (counter, evening, bookings) = (counter.clone(), evening.clone(), bookings.clone());
            async move { sell(&counter, &evening, bookings[number]).await }
        }
    };
    let decisions = drive(callers, bookings.len(), time, deciding).await?;
    let evening = Arc::new(hall.evening(SEATS).await?);
    let seats = evening.seats();
    let buying = move |number| {
        let (counter, evening) = (counter.clone(), evening.clone());
        async move {
            let booking_id = take(&counter, &evening, number).await?;
            sell(&counter, &evening, booking_id).await
        }
    };
    let purchases = drive(callers, seats, time, buying).await?;
    Ok(Rate { checkouts, decisions, purchases })
}

/// Rows inserted and updated, as Postgres counts them, for a purchase of one ticket; in a database of its own, because a
/// session tells what it did when it ends.
pub(crate) async fn rows_of_a_purchase(postgres: &PrivatePostgres) -> anyhow::Result<f64> {
    const PURCHASES: usize = 100;
    let server = pool(&postgres.url(), 1).await?;
    sqlx::query("CREATE DATABASE counted").execute(&server).await?;
    let options = (*server.connect_options()).clone().database("counted");
    let seeding = PgPool::connect_with(options.clone()).await?;
    shared::postgres::MIGRATOR.run(&seeding).await?;
    let evening = Hall::build(seeding.clone()).await?.evening(PURCHASES).await?;
    seeding.close().await;
    let before = rows_of_ended_sessions(&options).await?;
    let buying = PgPool::connect_lazy_with(options.clone());
    let counter = Counter::open(&buying, &Lifecycle::new());
    for number in 0..PURCHASES {
        let booking_id = take(&counter, &evening, number).await?;
        sell(&counter, &evening, booking_id).await?;
    }
    drop(counter);
    Ok((rows_of_ended_sessions(&options).await? - before) / PURCHASES as f64)
}

/// Once there is no other session.
async fn rows_of_ended_sessions(options: &PgConnectOptions) -> anyhow::Result<f64> {
    const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut session = PgConnection::connect_with(options).await?;
    let started = Instant::now();
    while sqlx::query_scalar::<_, i64>(OTHERS).fetch_one(&mut session).await? > 0 {
        ensure!(started.elapsed() < Duration::from_secs(10), "sessions that do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sql = "SELECT sum(n_tup_ins + n_tup_upd)::float8 FROM pg_stat_user_tables";
    let rows = sqlx::query_scalar(sql).fetch_one(&mut session).await?;
    session.close().await?;
    Ok(rows)
}

/// Plain and ours by turns, so that both meet the same machine.
pub(crate) async fn alone(hall: &mut Hall) -> anyhow::Result<Alone> {
    let counter = Counter::open(&hall.pool, &Lifecycle::new());
    let evening = hall.evening(2 * ALONE).await?;
    let mut times: [Vec<f64>; 4] = Default::default();
    let us = |began: Instant| began.elapsed().as_secs_f64() * 1e6;
    for number in 0..ALONE {
        let (draft, ticket) = (evening.draft(2 * number), evening.seat_of(2 * number));
        let began = Instant::now();
        plain::checkout(&hall.pool, &draft, &evening.drop_id, ticket).await?;
        times[0].push(us(began));
        let began = Instant::now();
        plain::decide(&hall.pool, draft.booking_id, "pi_plain", evening.now).await?;
        times[2].push(us(began));
        let began = Instant::now();
        let booking_id = take(&counter, &evening, 2 * number + 1).await?;
        times[1].push(us(began));
        let began = Instant::now();
        sell(&counter, &evening, booking_id).await?;
        times[3].push(us(began));
    }
    let [checkout_plain_us, checkout_ours_us, decision_plain_us, decision_ours_us] = times.map(median);
    Ok(Alone { checkout_plain_us, checkout_ours_us, decision_plain_us, decision_ours_us })
}

/// Everybody wants the front seats; whoever was too late asks for another one. As the product does it: a hold in Redis,
/// the checkout, and the hold made to last.
pub(crate) async fn contended(hall: &mut Hall, redis: &str, time: Duration) -> anyhow::Result<Contended> {
    let counter = Counter::open(&hall.pool, &Lifecycle::new());
    let evening = Arc::new(hall.evening(CONTENDED_SEATS).await?);
    let settings = shared::redis::Settings { url: redis.into(), prefix: String::new() };
    let redis = shared::redis::connect(&settings).await?;
    let holds = Arc::new(Holds::new(HOLD_BUDGET));
    holds.rebuild(&redis, evening.event_id, &[], &[]).await;
    let (front, answered) = (Arc::new(Front::new(CONTENDED_SEATS)), Arc::new(AtomicUsize::new(0)));
    let asking = {
        let answered = answered.clone();
        move |number| {
            let contender = Contender { counter: counter.clone(), redis: redis.clone(), holds: holds.clone() };
            let (evening, front, answered) = (evening.clone(), front.clone(), answered.clone());
            async move {
                let draft = evening.draft(number);
                while let Some(seat) = front.seat() {
                    let got = contender.take(&evening, &draft, seat).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                    if got {
                        front.taken();
                        return Ok(());
                    }
                }
                bail!("the front has reached the last row")
            }
        }
    };
    let began = Instant::now();
    let taken = drive(CONTENDERS, CONTENDED_SEATS - 2 * Front::HOT, time, asking).await?;
    Ok(Contended { taken, answered: answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64() })
}

struct Contender {
    counter: Counter,
    redis: Redis,
    holds: Arc<Holds>,
}

impl Contender {
    /// False when somebody has the seat.
    async fn take(&self, evening: &Evening, draft: &Arc<Draft>, seat: usize) -> anyhow::Result<bool> {
        let (event_id, owner, ordinals) = (evening.event_id, draft.booking_id, [u32::try_from(seat)?]);
        match self.holds.hold(&self.redis, event_id, owner, &ordinals, [draft.admitted_at, draft.now]).await {
            Hint::Held => {}
            Hint::Taken(_) => return Ok(false),
            other => bail!("no hold: {other:?}"),
        }
        let wanted = Wanted::Exactly(vec![evening.tickets[seat]]);
        let outcome = self.counter.reserve(draft.clone(), wanted).await?;
        ensure!(matches!(outcome, Outcome::Reserved(_)), "who has the hold has the seat: {outcome:?}");
        self.holds.mark(&self.redis, event_id, owner, &ordinals, Some(KEPT)).await;
        Ok(true)
    }
}

/// The seats that everybody wants: the foremost, moving back as they are taken.
pub(crate) struct Front {
    taken: AtomicUsize,
    seats: usize,
}

impl Front {
    /// As many as half the callers: about every second one is too late.
    pub(crate) const HOT: usize = 256;

    pub(crate) fn new(seats: usize) -> Self {
        Self { taken: AtomicUsize::new(0), seats }
    }

    /// One of them; `None` when there are no more.
    pub(crate) fn seat(&self) -> Option<usize> {
        let seat = self.taken.load(Ordering::Relaxed) + rand::random_range(0..Self::HOT);
        (seat < self.seats).then_some(seat)
    }

    pub(crate) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }
}

async fn take(counter: &Counter, evening: &Evening, number: usize) -> anyhow::Result<Uuid> {
    let draft = evening.draft(number);
    let outcome = counter.reserve(draft.clone(), Wanted::Exactly(vec![evening.seat_of(number)])).await?;
    ensure!(matches!(outcome, Outcome::Reserved(_)), "a free seat was refused: {outcome:?}");
    Ok(draft.booking_id)
}

async fn sell(counter: &Counter, evening: &Evening, booking_id: Uuid) -> anyhow::Result<()> {
    let sold = counter.sell(booking_id, &intent_of(booking_id), evening.now).await?;
    ensure!(matches!(sold, Sold::Now { .. }), "a booking with its seats was not sold: {sold:?}");
    Ok(())
}

fn intent_of(booking_id: Uuid) -> String {
    format!("pi_{booking_id}")
}

/// As if the provider had answered for every booking.
async fn give_intents(pool: &PgPool) -> anyhow::Result<()> {
    let sql =
        "UPDATE payment_attempts SET intent_id = 'pi_' || booking_id, status = 'created' WHERE status = 'creating'";
    sqlx::query(sql).execute(pool).await?;
    Ok(settle_down(pool).await?)
}

/// How many deeds a second that many callers do, each one after the other; numbers count up to `most`.
pub(crate) async fn drive<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
    callers: usize,
    most: usize,
    time: Duration,
    deed: impl Fn(usize) -> F + Clone + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (next, deed) = (next.clone(), deed.clone());
        tasks.spawn(async move {
            let mut done = 0_usize;
            while began.elapsed() < time {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most {
                    break;
                }
                deed(number).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += task.context("a caller died")??;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
