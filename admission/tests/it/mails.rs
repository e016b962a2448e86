//! Who asked to be written to when their place is called: from Redis to Postgres, and through a loss of Redis.

use std::time::Duration;

use admission::{
    drops::{self, Drop, NewDrop, Settings, State},
    ids::{DropId, Place},
    line::{EndReason, Held, Kept, Line, Newcomer, Receipt},
    mails::Mails,
    marks::Keeper,
    pace,
};
use redis::AsyncCommands as _;
use shared::testing::{World, world};

use super::line::place;
use crate::api::event;

struct Stage {
    world: World,
    line: Line,
    drop: Drop,
    keeper: Keeper,
    mails: Mails,
}

async fn stage() -> Stage {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let settings = Settings { opens_at: Some("2025-01-01T00:00:00Z".parse().unwrap()), ..Settings::at_rate(60) };
    let new = NewDrop { id: DropId::parse("evening").unwrap(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    let (keeper, mails) = (Keeper::new(world.pool.clone(), 0), Mails::new(world.pool.clone()));
    let mut stage = Stage { world, line, drop, keeper, mails };
    stage.keeper.keep(&stage.line, &stage.drop).await.unwrap();
    stage
}

impl Stage {
    async fn join(&self, n: u128, receipt: Option<Receipt>) {
        let who = Newcomer { place: place(n), visitor_hash: [0; 32], receipt, account: None };
        self.line.join(&self.drop.id, &[who]).await.unwrap();
    }

    async fn ask(&self, n: u128, sealed: Option<&[u8]>) -> Kept {
        let held = Held { place: place(n), generation: 0, mail: false };
        self.line.ask_mail(&self.drop.id, &held, sealed).await.unwrap().1
    }

    async fn follow(&mut self) {
        self.mails.follow(&self.line, &self.drop.id).await.unwrap();
    }

    /// The rows that still have an address: place, the address as it was sealed, whether it is due.
    async fn rows(&self) -> Vec<(Place, Vec<u8>, bool)> {
        let rows: Vec<(String, Vec<u8>, bool)> = sqlx::query_as(
            "SELECT place, sealed, deadline IS NOT NULL FROM turn_mails WHERE sealed IS NOT NULL ORDER BY sealed",
        )
        .fetch_all(&self.world.pool)
        .await
        .unwrap();
        rows.into_iter().map(|(place, sealed, due)| (Place::parse(&place).unwrap(), sealed, due)).collect()
    }

    async fn in_redis(&self) -> usize {
        let key = format!("{}:{{evening}}:mails", self.world.redis.prefix());
        self.world.redis.clone().hlen(key).await.unwrap()
    }
}

#[tokio::test]
async fn a_wish_is_kept_changed_and_withdrawn_and_due_when_the_place_is_called() {
    let mut s = stage().await;
    for n in 1..=4 {
        s.join(n, None).await;
        assert_eq!(s.ask(n, Some(&[n as u8])).await, Kept::Kept);
    }
    s.follow().await;
    assert_eq!(s.rows().await.len(), 4);
    s.ask(2, Some(&[9])).await;
    s.ask(3, None).await;
    s.line.end_place(&s.drop.id, place(4), EndReason::Left).await.unwrap();
    s.follow().await;
    assert_eq!(s.rows().await, [(place(1), vec![1], false), (place(2), vec![9], false)]);
    assert_eq!(s.in_redis().await, 2, "who withdrew or left is forgotten");

    s.line.release(&s.drop.id, pace::Level { expected_claims: 1, reaction_us: 1_000_000, when_full: 1 }).await.unwrap();
    s.follow().await;
    assert_eq!(s.rows().await, [(place(1), vec![1], true), (place(2), vec![9], false)]);
    assert_eq!(s.in_redis().await, 1);
    assert_eq!(s.ask(1, Some(&[5])).await, Kept::Late);
    // a process that knows nothing finds the same
    s.mails = Mails::new(s.world.pool.clone());
    s.follow().await;
    assert_eq!(s.rows().await, [(place(1), vec![1], true), (place(2), vec![9], false)]);
}

#[tokio::test]
async fn nobodys_address_outlives_the_drop() {
    let mut s = stage().await;
    for n in 1..=2 {
        s.join(n, None).await;
        s.ask(n, Some(&[n as u8])).await;
    }
    s.follow().await;
    s.line.release(&s.drop.id, pace::Level { expected_claims: 1, reaction_us: 1_000_000, when_full: 1 }).await.unwrap();
    s.follow().await;
    s.mails.forget_ended(&s.line, std::slice::from_ref(&s.drop)).await.unwrap();
    assert_eq!((s.in_redis().await, s.rows().await.len()), (1, 2), "one waits, one is called");
    // a drop that has ended is among those known for another day
    let ended = drops::end(&s.world.pool, &s.line, &s.drop.id, "cli").await.unwrap();
    assert_eq!(ended.state, State::Ended);
    let known = drops::live(&s.world.pool).await.unwrap();
    assert!(known.iter().any(|drop| drop.id == ended.id));
    s.mails.forget_ended(&s.line, &[ended]).await.unwrap();
    assert_eq!((s.in_redis().await, s.rows().await.len()), (0, 0));
}

#[tokio::test]
async fn a_line_nobody_asked_mails_in_costs_no_writing() {
    let mut s = stage().await;
    s.join(1, None).await;
    s.follow().await;
    let mut tx = s.world.pool.begin().await.unwrap();
    // reading goes on under this lock, writing does not
    sqlx::query("LOCK TABLE turn_mails IN EXCLUSIVE MODE").execute(&mut *tx).await.unwrap();
    s.line.release(&s.drop.id, pace::level(60, 0)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), s.follow()).await.expect("nothing is written");
}

#[tokio::test]
async fn a_wish_outlives_a_cleared_redis() {
    let mut s = stage().await;
    s.join(1, None).await;
    s.ask(1, Some(&[1])).await;
    s.follow().await;
    let (state, looked) = s.line.look(&s.drop.id, &[place(1)]).await.unwrap();
    let receipt = Receipt { place: place(1), key: looked[0].key(), epoch: state.epoch, generation: 0 };
    s.keeper.keep(&s.line, &s.drop).await.unwrap();
    let keys: Vec<String> = s.world.redis.clone().keys(format!("{}:*", s.world.redis.prefix())).await.unwrap();
    let _: () = s.world.redis.clone().del(keys).await.unwrap();
    s.keeper.keep(&s.line, &s.drop).await.unwrap();
    s.follow().await;
    assert_eq!((s.in_redis().await, s.rows().await.len()), (1, 1), "kept until its fan comes back");
    s.join(1, Some(receipt)).await;
    s.line.release(&s.drop.id, pace::level(60, 0)).await.unwrap();
    s.follow().await;
    assert_eq!(s.rows().await, [(place(1), vec![1], true)]);
}
