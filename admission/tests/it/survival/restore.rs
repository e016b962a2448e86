//! What may happen while a line is being put back: it takes long, Redis dies once more, another process wakes up.

use std::time::Duration;

use admission::{
    code::Code,
    draw::lobby_closes_at,
    drops::DrawSource,
    line::{Asker, Held, Kept, Move, Notice, Redeemed, Trace},
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

/// What Postgres knows of a line: so many places that ended, as many inside, and as many that were moved.
async fn much_to_put_back(s: &Sale, many: i32) {
    for insert in [
        "INSERT INTO ended_places (drop_id, place, reason, order_key, granted_at, given_up) \
         SELECT 'evening', 'e' || n || substr($2, 8), 'left', n, 0, false FROM generate_series(100000, 99999 + $1) n",
        "INSERT INTO line_grants (drop_id, place, order_key, called_at, granted_at, session_ends) \
         SELECT 'evening', 'g' || n || substr($2, 8), n, 1, 1, 9000000000000000 FROM generate_series(100000, 99999 + $1) n",
        "INSERT INTO line_moves (drop_id, place, generation, own, visitor_hash) \
         SELECT 'evening', 'm' || n || substr($2, 8), 1, 'o' || n || substr($2, 8), decode(repeat('07', 32), 'hex') \
           FROM generate_series(100000, 99999 + $1) n",
    ] {
        sqlx::query(insert).bind(many).bind(place(0).to_string()).execute(&s.world.pool).await.unwrap();
    }
}

/// Each call of a script takes a tenth of a second.
async fn hold_up(mut redis: Redis) {
    loop {
        redis::cmd("CLIENT").arg("PAUSE").arg(100).arg("WRITE").exec_async(&mut redis).await.unwrap();
        tokio::time::sleep(Duration::from_millis(105)).await;
        // wakes Redis, so that it sees that the pause is over and takes what waits
        redis::cmd("PING").exec_async(&mut redis).await.unwrap();
    }
}

#[tokio::test]
async fn a_restore_that_takes_longer_than_postgres_bears_silence_is_one_restore() {
    const MANY: i32 = 7_500; // 15 calls each: longer than SILENCE for ends, grants and moves alike
    let mut s = sale(60, |_| ()).await;
    let before = s.line.look(&s.id, &[]).await.unwrap().0.epoch;
    much_to_put_back(&s, MANY).await;
    s.flush().await;
    let pool = impatient(&s).await;
    let (mut one, mut two) = (Keeper::new(pool.clone(), 60), Keeper::new(pool, 60));
    let held_up = connect(s.server.as_ref().unwrap()).await;
    let other = async {
        tokio::task::yield_now().await;
        while s.line.look(&s.id, &[]).await.is_err() {
            match two.keep(&s.line, &s.drop).await {
                Ok(()) | Err(MarksError::Overtaken) => {}
                Err(error) => panic!("finds the first at it, and goes on: {error:?}"),
            }
        }
    };
    let began = std::time::Instant::now();
    tokio::select! {
        (first, ()) = async { tokio::join!(one.keep(&s.line, &s.drop), other) } => first.unwrap(),
        () = hold_up(held_up) => unreachable!(),
    }
    println!("restored in {:?}", began.elapsed());
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, before + 1);
    assert_eq!(s.epoch_of_marks().await.unsigned_abs(), before + 1, "Postgres knows no later one");
    let ended: i32 = s.redis.zcard("onsale:{evening}:ended").await.unwrap();
    let inside: i32 = s.redis.zcard("onsale:{evening}:active").await.unwrap();
    let moves: i32 = s.redis.hlen("onsale:{evening}:moves").await.unwrap();
    assert_eq!((ended, inside, moves), (MANY, MANY, 2 * MANY));
    let told: u64 = s.redis.xlen("onsale:{evening}:changes").await.unwrap();
    assert!(told < 10, "nobody is told of what ended long ago, one by one: {told}");
}

#[tokio::test]
async fn what_is_put_back_changes_nothing_that_is_there_and_no_line_that_is_open() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0), newcomer(1)]).await;
    let _: () = s.redis.del("onsale:{evening}:control").await.unwrap();
    s.line.begin_restore(&s.id, 7).await.unwrap();
    let inside = Trace { key: 6, called_at: 7, granted_at: 8, session_ends: 9_000_000_000_000_000, ..Trace::default() };
    let over = Trace { key: 5, granted_at: 9, given_up: true, ended: Some(EndReason::Left), ..Trace::default() };
    let other_end = Trace { ended: Some(EndReason::Finished), ..Trace::default() };
    for end in [over, other_end] {
        s.line.restore_ended(&s.id, &[(place(0), end)]).await.unwrap();
    }
    let longer = Trace { session_ends: inside.session_ends + 1, ..inside };
    for grants in [[(place(1), inside)], [(place(1), longer)], [(place(0), inside)]] {
        s.line.restore_granted(&s.id, &grants).await.unwrap();
    }
    for generation in [2, 1] {
        let n = u8::try_from(generation).unwrap();
        let moved = Move { place: place(1), generation, own: place(n.into()), visitor_hash: [n; 32] };
        s.line.restore_moves(&s.id, &[moved]).await.unwrap();
    }
    for sealed in [1, 2] {
        s.line.restore_mails(&s.id, &[(place(2), vec![sealed])]).await.unwrap();
    }
    s.line.restore_ended(&s.id, &[]).await.unwrap();
    s.line.reopen(&s.id, 7, 0, &[]).await.unwrap();
    let ends = s.line.ends_since(&s.id, 0).await.unwrap();
    assert_eq!(ends.iter().map(|end| (end.number, end.place, end.trace)).collect::<Vec<_>>(), [(1, place(0), over)]);
    assert_eq!(session(s.look(1).await), (8, inside.session_ends));
    let counts = s.line.watch(&s.id, None, false).await.unwrap().1.counts;
    assert_eq!((counts.waiting, counts.active), (0, 1), "who is inside waits no more");
    assert!(matches!(s.look(0).await, PlaceState::Ended { reason: EndReason::Left, given_up: true, .. }));
    let asker = |n: u8| Asker { own: place(n.into()), visitor_hash: [n; 32] };
    let (_, held) = s.line.look_held(&s.id, &[asker(2), asker(1)]).await.unwrap();
    assert!(matches!(held[0].1, PlaceState::Admitted { .. }), "by the later move: {held:?}");
    assert_eq!(held[1].1, PlaceState::Moved);

    let sealed: String = s.redis.hget("onsale:{evening}:mails", place(2).to_string()).await.unwrap();
    assert_eq!(sealed, "AQ", "the address that was there");

    let (_, joined) = s.join(&[newcomer(3)]).await;
    s.line.restore_ended(&s.id, &[(place(3), over)]).await.unwrap();
    s.line.restore_granted(&s.id, &[(place(3), inside), (place(4), inside)]).await.unwrap();
    assert_eq!(
        (s.look(3).await, s.look(4).await),
        (joined[0], PlaceState::Unknown),
        "whoever comes so late is too late"
    );
}

/// Moves place 0 to visitor 5.
async fn moved(s: &Sale) {
    let (code, held) = (Code::generate(), Held { place: place(0), generation: 0, mail: false });
    s.line.issue_code(&s.id, &held, &code, None).await.unwrap();
    let asker = Asker { own: place(5), visitor_hash: [5; 32] };
    let redeemed = s.line.redeem_code(&s.id, &code, &asker, None).await.unwrap().1;
    assert!(matches!(redeemed, Redeemed::Moved(..)), "{redeemed:?}");
}

#[tokio::test]
async fn no_move_is_written_while_a_line_is_restored_nor_of_an_epoch_before_that_of_the_marks() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    s.keep().await;
    moved(&s).await;
    let pool = s.world.pool.clone();
    let moves =
        async || -> i64 { sqlx::query_scalar("SELECT count(*) FROM line_moves").fetch_one(&pool).await.unwrap() };
    let other = at_it(&s).await;
    let refused = s.keeper.keep(&s.line, &s.drop).await;
    assert!(matches!(refused, Err(MarksError::Overtaken)), "{refused:?}");
    assert_eq!(moves().await, 0, "the other has read all moves");
    other.rollback().await.unwrap();
    sqlx::query("UPDATE line_marks SET epoch = epoch + 1").execute(&s.world.pool).await.unwrap();
    let refused = s.keeper.keep(&s.line, &s.drop).await;
    assert!(matches!(refused, Err(MarksError::Overtaken)), "{refused:?}");
    assert_eq!(moves().await, 0, "what became of the place since, this line does not know");
    sqlx::query("UPDATE line_marks SET epoch = epoch - 1").execute(&s.world.pool).await.unwrap();
    s.keep().await;
    assert_eq!(moves().await, 1);
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
    s.flush().await;
    s.line.begin_restore(&s.id, 10).await.unwrap();
    s.line.create(&s.id, &[("epoch", "11".to_owned())]).await.unwrap();
    let made_anew = s.line.reopen(&s.id, 10, 0, &[]).await;
    assert!(matches!(made_anew, Err(LineError::Restoring)), "it is open: {made_anew:?}");
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, 11);
}

#[tokio::test]
async fn what_was_told_since_the_last_marks_stands_after_another_run_of_redis() {
    let mut s = sale(0, |_| ()).await;
    for text in ["Doors at 7", "Doors at 8"] {
        let notice = Notice::new(text.to_owned(), "en".to_owned(), Clock::system().now());
        s.line.notify(&s.id, &notice).await.unwrap();
        if text == "Doors at 7" {
            s.keep().await;
        }
    }
    s.start_again(None).await;
    s.keep().await;
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.notice.unwrap().text, "Doors at 8");
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
    let (before, late) = s.join(&(0..200).map(newcomer).collect::<Vec<_>>()).await;
    let keys: Vec<OrderKey> = late.iter().map(|place| place.key().unwrap()).collect();
    assert!(keys[0].0 >= before.opens_at.unwrap() && keys.is_sorted_by(|one, next| one < next));
    s.flush().await;
    s.keep().await;
    let (after, first) = s.join(&[newcomer(900)]).await;
    assert!(!after.is_open());
    let passes: Vec<_> = (0..).zip(&keys).map(|(n, key)| with_pass(n, *key, before.epoch)).collect();
    let (_, back) = s.join(&passes).await;
    assert_eq!(back.iter().map(|place| place.key().unwrap()).collect::<Vec<_>>(), keys);
    assert!(first[0].key() > back[199].key(), "{first:?} came after {:?}", back[199]);
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
