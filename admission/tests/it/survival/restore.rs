//! What may happen while a line is being put back: it takes long, Redis dies once more, another process wakes up.

use admission::{
    draw::lobby_closes_at,
    drops::DrawSource,
    line::{Held, Kept},
    mails::Mails,
    marks::MarksError,
};
use jiff::SignedDuration;
use redis::AsyncCommands as _;
use shared::clock::Clock;
use sqlx::{PgPool, Postgres, Transaction};

use super::*;

/// Longest that Postgres lets a transaction be silent in these tests.
const SILENCE: &str = "1s";

/// A pool as that of a process, on which Postgres loses patience sooner.
async fn impatient(s: &Sale) -> PgPool {
    let options: sqlx::postgres::PgConnectOptions = s.world.database_url.parse().unwrap();
    PgPool::connect_with(options.options([("idle_in_transaction_session_timeout", SILENCE)])).await.unwrap()
}

/// Restores a line, or keeps it from being restored, until it ends.
async fn at_it(s: &Sale) -> Transaction<'static, Postgres> {
    let mut other = s.world.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('line evening', 0))")
        .execute(&mut *other)
        .await
        .unwrap();
    other
}

async fn ends(s: &Sale) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ended_places").fetch_one(&s.world.pool).await.unwrap()
}

/// Places that ended, as many as you like, as Postgres knows them.
async fn many_ends(s: &Sale, many: i32) {
    sqlx::query(
        "INSERT INTO ended_places (drop_id, place, reason, order_key, granted_at, given_up) \
         SELECT 'evening', n || substr(place, 1 + length(n::text)), 'left', n, 0, false \
           FROM (SELECT n, $2::text AS place FROM generate_series(100000, 99999 + $1) n) all_of_them",
    )
    .bind(many)
    .bind(place(0).to_string())
    .execute(&s.world.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_restore_that_takes_longer_than_postgres_bears_silence_is_one_restore() {
    let mut s = sale(60, |_| ()).await;
    let before = s.line.look(&s.id, &[]).await.unwrap().0.epoch;
    many_ends(&s, 60_000).await;
    s.flush().await;
    let pool = impatient(&s).await;
    let (mut one, mut two) = (Keeper::new(pool.clone(), 60), Keeper::new(pool, 60));
    let began = std::time::Instant::now();
    let (first, second) = tokio::join!(one.keep(&s.line, &s.drop), two.keep(&s.line, &s.drop));
    println!("restored in {:?}", began.elapsed());
    first.unwrap();
    second.unwrap();
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, before + 1);
    assert_eq!(s.epoch_of_marks().await.unsigned_abs(), before + 1, "Postgres knows no later one");
    let ended: u64 = s.redis.zcard("onsale:{evening}:ended").await.unwrap();
    assert_eq!(ended, 60_000);
    let told: u64 = s.redis.xlen("onsale:{evening}:changes").await.unwrap();
    assert!(told < 10, "nobody is told of what ended long ago, one by one: {told}");
}

#[tokio::test]
async fn what_redis_lost_while_it_was_put_back_is_put_back_again() {
    let mut s = sale(0, |_| ()).await;
    s.flush().await;
    s.line.begin_restore(&s.id, 7).await.unwrap();
    s.flush().await;
    let cleared = s.line.reopen(&s.id, 7, 0, &[]).await;
    assert!(matches!(cleared, Err(LineError::Restoring)), "cleared in between: {cleared:?}");
    s.line.begin_restore(&s.id, 8).await.unwrap();
    let stale = s.line.reopen(&s.id, 7, 0, &[]).await;
    assert!(matches!(stale, Err(LineError::Restoring)), "what another put back is not ours: {stale:?}");
    s.start_again(None).await;
    let another_run = s.line.reopen(&s.id, 8, 0, &[]).await;
    assert!(matches!(another_run, Err(LineError::Restoring)), "it may lack the last second: {another_run:?}");
    s.line.begin_restore(&s.id, 9).await.unwrap();
    s.line.reopen(&s.id, 9, 0, &[]).await.unwrap();
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, 9);
    assert!(s.line.begin_restore(&s.id, 10).await.is_err(), "there is nothing to restore now");
}

#[tokio::test]
async fn who_came_too_late_for_the_draw_in_the_lost_second_is_still_ahead_of_newcomers() {
    let now = Clock::system().now();
    let in_20_s = now + SignedDuration::from_secs(20);
    let tune =
        |settings: &mut Settings| (settings.opens_at, settings.draw_source) = (Some(in_20_s), DrawSource::Beacon);
    let mut s = sale(60, tune).await;
    assert_eq!(lobby_closes_at(DrawSource::Beacon, Some(in_20_s), now), None, "closed below instead");
    sqlx::query("UPDATE drops SET lobby_closes_at = now() - interval '20 seconds', version = version + 1")
        .execute(&s.world.pool)
        .await
        .unwrap();
    s.drop = drops::show(&s.world.pool, &s.id).await.unwrap();
    s.keep().await;
    // nobody wrote down that any of them came
    let (before, late) = s.join(&[newcomer(0), newcomer(1)]).await;
    assert!(late[0].key().unwrap().0 >= before.opens_at.unwrap() && late[1].key() > late[0].key());
    s.flush().await;
    s.keep().await;
    let (after, first) = s.join(&[newcomer(9)]).await;
    assert!(!after.is_open());
    let passes = [0, 1].map(|n| with_pass(n, late[usize::try_from(n).unwrap()].key().unwrap(), before.epoch));
    let (_, back) = s.join(&passes).await;
    assert_eq!([back[0].key(), back[1].key()], [late[0].key(), late[1].key()]);
    assert!(first[0].key() > back[1].key(), "{first:?} came after {back:?}");
}

#[tokio::test]
async fn while_a_line_is_restored_other_processes_write_nothing_and_go_on() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    s.keep().await;
    s.line.end_place(&s.id, place(0), EndReason::Left).await.unwrap();
    let other = at_it(&s).await;
    let refused = s.keeper.keep(&s.line, &s.drop).await;
    assert!(matches!(refused, Err(MarksError::Overtaken)), "the other has read all ends: {refused:?}");
    assert_eq!(ends(&s).await, 0);
    s.flush().await;
    s.keep().await;
    assert!(s.line.look(&s.id, &[]).await.is_err(), "left to the other, and not waited for");
    other.rollback().await.unwrap();
    s.keep().await;
    s.line.look(&s.id, &[]).await.unwrap();
}

#[tokio::test]
async fn nothing_of_an_epoch_before_that_of_the_marks_is_written() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    s.keep().await;
    s.line.end_place(&s.id, place(0), EndReason::Left).await.unwrap();
    sqlx::query("UPDATE line_marks SET epoch = epoch + 1").execute(&s.world.pool).await.unwrap();
    for _ in 0..2 {
        let refused = s.keeper.keep(&s.line, &s.drop).await;
        assert!(matches!(refused, Err(MarksError::Overtaken)), "and said so each time: {refused:?}");
    }
    assert_eq!(ends(&s).await, 0);
}

#[tokio::test]
async fn a_brand_lost_by_whoever_restored_the_line_is_shown_by_the_next() {
    let mut s = sale(0, |_| ()).await;
    s.flush().await;
    // restores it, and dies before it shows the brand
    Keeper::new(s.world.pool.clone(), 0).keep(&s.line, &s.drop).await.unwrap();
    let _: () = s.redis.del("onsale:{evening}:face").await.unwrap();
    s.keep().await;
    let shown: bool = s.redis.hexists("onsale:{evening}:face", "brand").await.unwrap();
    assert!(shown);
}

#[tokio::test]
async fn a_mail_no_longer_wanted_is_not_wanted_after_another_run_of_redis() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    let held = Held { place: place(0), generation: 0, mail: false };
    assert_eq!(s.line.ask_mail(&s.id, &held, Some(&[1])).await.unwrap().1, Kept::Kept);
    Mails::new(s.world.pool.clone()).follow(&s.line, &s.id).await.unwrap();
    s.keep().await;
    s.line.ask_mail(&s.id, &held, None).await.unwrap();
    s.start_again(None).await;
    s.keep().await;
    Mails::new(s.world.pool.clone()).follow(&s.line, &s.id).await.unwrap();
    let kept: u64 = s.redis.hlen("onsale:{evening}:mails").await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM turn_mails").fetch_one(&s.world.pool).await.unwrap();
    assert_eq!((kept, rows), (0, 0));
}

#[tokio::test]
async fn a_look_puts_back_what_was_there_and_gives_nobody_a_new_place() {
    let mut s = sale(0, |_| ()).await;
    let (before, joined) = s.join(&[newcomer(0), newcomer(1)]).await;
    s.keep().await;
    s.flush().await;
    s.keep().await;
    let known = with_pass(0, joined[0].key().unwrap(), before.epoch);
    // somebody else has claimed the place that was moved to this visitor
    let moved = Receipt { place: place(1), key: joined[1].key(), epoch: before.epoch, generation: 1 };
    s.join(&[with_pass(1, joined[1].key().unwrap(), before.epoch)]).await;
    while !matches!(s.look(1).await, PlaceState::Admitted { .. }) {
        s.release(EVERYBODY).await;
        s.line.claim(&s.id, place(1)).await.unwrap();
    }
    let outbid = Newcomer { receipt: Some(moved), visitor_hash: [9; 32], ..newcomer(5) };
    let (_, back) = s.line.put_back_held(&s.id, &[known, outbid.clone()]).await.unwrap();
    assert!(matches!(back[0].1, Joined::New(place) if place.key() == joined[0].key()), "{:?}", back[0]);
    assert_eq!(back[1].1, Joined::Known(PlaceState::Unknown));
    assert_eq!(s.look(5).await, PlaceState::Unknown);
    let (_, joined) = s.line.join_held(&s.id, &[outbid]).await.unwrap();
    assert!(matches!(joined[0].1, Joined::New(_)), "a join is another thing: {:?}", joined[0]);
}
