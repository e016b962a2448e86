//! Many bookings in one transaction, at the store: each is decided on its own, and nobody pays for a neighbour.

mod decisions;
mod failures;
mod plans;

use std::sync::Arc;

use booking::Error;
use booking::purchase::counter::Counter;
use booking::purchase::reserve::{Draft, Outcome, Wanted};
use booking::purchase::sale;
use booking::purchase::sell::Sold;
use futures_util::future::join_all;
use sqlx::{PgPool, PgTransaction};

use super::*;

type Told = Result<Outcome, Error>;

/// A hall of named seats, and fans who all stand in the same lane of a counter.
struct Crowd {
    fixture: Fixture,
    sale: Sale,
    terms: Arc<sale::Sale>,
    /// By ordinal.
    tickets: Vec<i64>,
}

impl Crowd {
    async fn of(rows: u32, seats_per_row: u32) -> Self {
        let fixture = still_with(deaf()).await;
        let sale = fixture.on_sale(rows, seats_per_row).await;
        let terms = Arc::new(sale::of_event(&fixture.world.pool, sale.event_id).await.expect("it is on sale"));
        let tickets = sqlx::query_scalar("SELECT ticket_id FROM tickets ORDER BY ordinal")
            .fetch_all(&fixture.world.pool)
            .await
            .expect("tickets");
        Self { fixture, sale, terms, tickets }
    }

    fn pool(&self) -> &PgPool {
        &self.fixture.world.pool
    }

    fn counter(&self) -> &Counter {
        &self.fixture.app.counter
    }

    /// A fan who was admitted a moment ago; all of them stand in one lane.
    async fn fan(&self) -> Draft {
        let fan = self.stranger();
        sqlx::query(
            "INSERT INTO users (user_id, username, password, email, email_index) VALUES ($1, 'fan', '', '', $2)",
        )
        .bind(fan.user_id)
        .bind(fan.user_id.as_bytes().as_slice())
        .execute(self.pool())
        .await
        .expect("an account");
        fan
    }

    /// Somebody without an account.
    fn stranger(&self) -> Draft {
        let now = self.fixture.clock.now();
        Draft {
            booking_id: same_lane(),
            event_id: self.sale.event_id,
            sale: self.terms.clone(),
            user_id: same_lane(),
            key: Uuid::new_v4().to_string(),
            fingerprint: [7; 32],
            place: Place::from_bytes(encoding::random()).to_string(),
            jti: Uuid::new_v4().to_string(),
            admitted_at: now,
            admitted_until: now + seconds(900),
            returned_first: seconds(120),
            max_price: None,
            now,
            expires_at: now + seconds(600),
        }
    }

    async fn fans(&self, many: usize) -> Vec<Arc<Draft>> {
        let mut fans = Vec::with_capacity(many);
        for _ in 0..many {
            fans.push(Arc::new(self.fan().await));
        }
        fans
    }

    fn these(&self, ordinals: &[usize]) -> Wanted {
        Wanted::Exactly(ordinals.iter().map(|ordinal| self.tickets[*ordinal]).collect())
    }

    /// Everybody asks in this order, and is decided about in one batch: the lane is held up until all have asked.
    async fn together(&self, wishes: Vec<(Arc<Draft>, Wanted)>) -> Vec<Told> {
        let (blocked, first) = self.block_lane().await;
        let asking = wishes.into_iter().map(|(draft, wanted)| self.counter().reserve(draft, wanted));
        let unblocking = async {
            blocked.rollback().await.expect("the lock is let go");
        };
        // polled in this order: all stand in the queue before the lane goes on
        let (told, ()) = tokio::join!(join_all(asking), unblocking);
        assert!(matches!(first.await.expect("a task"), Ok(Outcome::Reserved(_))));
        told
    }

    /// Somebody else decides about the last seat, and a fan who wants it waits in the lane.
    async fn block_lane(&self) -> (PgTransaction<'_>, tokio::task::JoinHandle<Told>) {
        let last = *self.tickets.last().expect("a seat");
        let mut blocked = self.pool().begin().await.expect("a transaction");
        sqlx::query("SELECT FROM tickets WHERE ticket_id = $1 FOR UPDATE")
            .bind(last)
            .execute(&mut *blocked)
            .await
            .expect("a lock");
        let (counter, fan) = (self.counter().clone(), Arc::new(self.fan().await));
        let first = tokio::spawn(async move { counter.reserve(fan, Wanted::Exactly(vec![last])).await });
        self.until_waiting().await;
        (blocked, first)
    }

    async fn until_waiting(&self) {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while count(&self.fixture, sql).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Transactions that have made bookings; the one of whoever held up the lane is not counted.
    async fn transactions(&self) -> i64 {
        count(&self.fixture, "SELECT count(DISTINCT xmin::text) - 1 FROM bookings").await
    }
}

/// An id whose fan, or booking, goes to the same lane as the others'.
fn same_lane() -> Uuid {
    Uuid::from_u128(Uuid::new_v4().as_u128() << 64)
}

fn reserved(told: &Told) -> bool {
    matches!(told, Ok(Outcome::Reserved(_)))
}

fn taken(told: &Told, ordinals: &[u32]) -> bool {
    matches!(told, Ok(Outcome::Taken(taken)) if taken == ordinals)
}

#[tokio::test]
async fn whoever_waits_is_decided_about_in_one_transaction_first_come_first_served() {
    let crowd = Crowd::of(5, 8).await;
    let fans = crowd.fans(60).await;
    // pairs that overlap, in no order; the last seat is the one that held up the lane
    let pairs: Vec<[usize; 2]> = (0..60).map(|at| [at * 7 % 39, (at * 7 + 1 + at % 3) % 39]).collect();
    let wishes = fans.iter().cloned().zip(pairs.iter().map(|pair| crowd.these(pair))).collect();
    let told = crowd.together(wishes).await;
    let mut gone = std::collections::BTreeSet::new();
    for (told, pair) in told.iter().zip(&pairs) {
        let mut pair = pair.map(|seat| u32::try_from(seat).unwrap());
        pair.sort_unstable();
        let lost: Vec<u32> = pair.iter().copied().filter(|seat| gone.contains(seat)).collect();
        if lost.is_empty() {
            assert!(matches!(told, Ok(Outcome::Reserved(got)) if *got == pair), "{told:?} for {pair:?}");
            gone.extend(pair);
        } else {
            assert!(taken(told, &lost), "{told:?} for {pair:?}, when {lost:?} were gone");
        }
    }
    assert_eq!(live_claims(&crowd.fixture).await, 1 + gone.len() as i64);
    assert_eq!(crowd.transactions().await, 1);
}

#[tokio::test]
async fn a_seat_is_lost_to_winners_only() {
    let crowd = Crowd::of(2, 8).await;
    let fans = crowd.fans(6).await;
    // the first has all the tickets she may have, the third's place is over, the fifth would pay nothing
    sqlx::query("INSERT INTO fan_limits (drop_id, user_id, quantity, maximum) VALUES ($1, $2, 8, 8)")
        .bind(crowd.sale.drop.as_str())
        .bind(fans[0].user_id)
        .execute(crowd.pool())
        .await
        .unwrap();
    sqlx::query("INSERT INTO ended_places (drop_id, place, reason) VALUES ($1, $2, 'left')")
        .bind(crowd.sale.drop.as_str())
        .bind(&fans[2].place)
        .execute(crowd.pool())
        .await
        .unwrap();
    sqlx::query("UPDATE tickets SET price = 0 WHERE ordinal = 5").execute(crowd.pool()).await.unwrap();
    let wanted = [&[0, 1][..], &[1, 2], &[3, 4], &[4], &[5], &[0]];
    let wishes = fans.iter().cloned().zip(wanted.map(|seats| crowd.these(seats))).collect();
    let told = crowd.together(wishes).await;
    assert!(matches!(told[0], Err(Error::Limit)), "{:?}", told[0]);
    assert!(matches!(told[2], Err(Error::PlaceEnded)), "{:?}", told[2]);
    assert!(matches!(told[4], Err(Error::Unpayable { .. })), "{:?}", told[4]);
    assert!([1, 3, 5].iter().all(|fan| reserved(&told[*fan])), "{told:?}");
    assert_eq!(crowd.transactions().await, 1);
    let bound = count(&crowd.fixture, "SELECT count(*) FROM redemptions").await;
    assert_eq!(bound, 4, "who got nothing is bound to nothing");
}

#[tokio::test]
async fn two_requests_of_one_fan_are_decided_one_after_the_other() {
    let crowd = Crowd::of(2, 8).await;
    let (one, two, three) = (Arc::new(crowd.fan().await), crowd.fan().await, crowd.fan().await);
    let twin = one.clone();
    // another key of the same fan, her place in other hands, and another place of hers
    let second = Arc::new(Draft { user_id: one.user_id, place: one.place.clone(), ..two });
    let thief = Arc::new(Draft { place: one.place.clone(), ..three });
    let elsewhere = Arc::new(Draft { user_id: one.user_id, ..crowd.fan().await });
    let wishes = vec![
        (one.clone(), crowd.these(&[0])),
        (twin, crowd.these(&[0])),
        (second, crowd.these(&[1])),
        (thief, crowd.these(&[2])),
        (elsewhere, crowd.these(&[3])),
    ];
    let told = crowd.together(wishes).await;
    assert!(reserved(&told[0]), "{:?}", told[0]);
    assert!(matches!(told[1], Ok(Outcome::KeyInUse)), "{:?}", told[1]);
    assert!(matches!(told[2], Err(Error::BookingOpen { booking_id }) if booking_id == one.booking_id), "{:?}", told[2]);
    assert!(matches!(told[3], Err(Error::PlaceBound(_))), "{:?}", told[3]);
    assert!(matches!(told[4], Err(Error::PlaceBound(_))), "{:?}", told[4]);
    assert_eq!((crowd.transactions().await, live_claims(&crowd.fixture).await), (1, 2));
    let torn = count(&crowd.fixture, "SELECT count(*) FROM bookings WHERE quantity <> 1").await;
    assert_eq!(torn, 0);
}

#[tokio::test]
async fn blocks_offered_to_many_go_to_one_each() {
    let crowd = Crowd::of(2, 8).await;
    let fans = crowd.fans(4).await;
    let blocks =
        Wanted::FirstOf([[0, 1], [2, 3], [4, 5]].map(|pair| pair.map(|at| crowd.tickets[at]).to_vec()).to_vec());
    let wishes = fans.into_iter().map(|fan| (fan, blocks.clone())).collect();
    let told = crowd.together(wishes).await;
    for (told, got) in told.iter().zip([[0, 1], [2, 3], [4, 5]]) {
        assert!(matches!(told, Ok(Outcome::Reserved(seats)) if *seats == got), "{told:?}");
    }
    assert!(taken(&told[3], &[]), "{:?}", told[3]);
    // seats that somebody else is deciding about are passed over, not waited for
    let mut other = crowd.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM tickets WHERE ordinal = 6 FOR UPDATE").execute(&mut *other).await.unwrap();
    let blocks = Wanted::FirstOf(vec![vec![crowd.tickets[6]], vec![crowd.tickets[7]]]);
    let told = crowd.counter().reserve(Arc::new(crowd.fan().await), blocks).await;
    assert!(matches!(&told, Ok(Outcome::Reserved(seats)) if *seats == [7]), "{told:?}");
}

#[tokio::test]
async fn a_seat_that_came_back_is_first_theirs_who_came_after_it() {
    let crowd = Crowd::of(1, 4).await;
    let now = crowd.fixture.clock.now();
    sqlx::query("UPDATE tickets SET returned_at = $1 WHERE ordinal IN (0, 1)")
        .bind(jiff_sqlx::ToSqlx::to_sqlx(now - seconds(60)))
        .execute(crowd.pool())
        .await
        .unwrap();
    let before = Arc::new(Draft { admitted_at: now - seconds(90), ..crowd.fan().await });
    let after = Arc::new(Draft { admitted_at: now - seconds(30), ..crowd.fan().await });
    let told = crowd.counter().reserve(before.clone(), crowd.these(&[0, 2])).await;
    assert!(taken(&told, &[0]), "{told:?}");
    assert!(reserved(&crowd.counter().reserve(after, crowd.these(&[0])).await));
    let later = Draft { now: now + seconds(61), ..(*before).clone() };
    assert!(reserved(&crowd.counter().reserve(Arc::new(later), crowd.these(&[1])).await), "two minutes are over");
}
