//! What fans keep when Redis dies in mid-queue: emptied, started again, or back without its last second.

mod restore;

use std::{collections::BTreeMap, path::PathBuf};

use admission::{
    drops::{self, Drop, NewDrop, Settings},
    ids::{DropId, OrderKey},
    line::{Change, DropState, EndReason, Joined, Line, LineError, Newcomer, PlaceState, Receipt, Stock},
    marks::Keeper,
    pace::{self, Level},
};
use shared::{
    private_stack::{PrivateRedis, Scratch},
    redis::Redis,
    testing::{World, world},
};

use super::line::place;
use crate::api::event;

/// Calls all who wait, as far as one run may.
const EVERYBODY: Level = Level { expected_claims: 1_000_000, reaction_us: 3_000_000, when_full: 1 };

/// A drop on a Redis of its own, which may die.
struct Sale {
    server: Option<PrivateRedis>,
    redis: Redis,
    line: Line,
    drop: Drop,
    id: DropId,
    keeper: Keeper,
    world: World,
    data: Scratch,
}

/// `regather_s`: how long fans have to come back after a loss.
async fn sale(regather_s: u64, tune: impl FnOnce(&mut Settings)) -> Sale {
    let world = world().await;
    let data = Scratch::new("onsale-survival").unwrap();
    let server = PrivateRedis::start(data.path()).await.unwrap();
    let redis = connect(&server).await;
    let line = Line::new(redis.clone());
    let id = DropId::parse("evening").unwrap();
    let opens_at = Some("2025-01-01T00:00:00Z".parse().unwrap());
    let mut settings = Settings { opens_at, ..Settings::at_rate(60_000) };
    tune(&mut settings);
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    let mut keeper = Keeper::new(world.pool.clone(), regather_s);
    keeper.keep(&line, &drop).await.unwrap();
    Sale { server: Some(server), redis, line, drop, id, keeper, world, data }
}

async fn connect(server: &PrivateRedis) -> Redis {
    let url = server.url().into();
    let mut redis =
        shared::redis::connect(&shared::redis::Settings { url, prefix: "onsale".to_owned() }).await.unwrap();
    // what was answered is in the file, whatever the disk is busy with
    redis::cmd("CONFIG").arg("SET").arg("appendfsync").arg("no").exec_async(&mut redis).await.unwrap();
    redis
}

impl Sale {
    async fn keep(&mut self) {
        self.keeper.keep(&self.line, &self.drop).await.unwrap();
    }

    async fn flush(&mut self) {
        redis::cmd("FLUSHALL").exec_async(&mut self.redis).await.unwrap();
    }

    /// Another run of the server on what the last one left, less all that came after `length` bytes of its file.
    async fn start_again(&mut self, length: Option<u64>) {
        drop(self.server.take()); // killed, not asked
        if let Some(length) = length {
            std::fs::File::options().write(true).open(self.append_only_file()).unwrap().set_len(length).unwrap();
        }
        let server = PrivateRedis::start(self.data.path()).await.unwrap();
        self.redis = connect(&server).await;
        self.line = Line::new(self.redis.clone());
        self.server = Some(server);
    }

    fn append_only_file(&self) -> PathBuf {
        self.data.path().join("redis/appendonlydir/appendonly.aof.1.incr.aof")
    }

    /// How much Redis has written: what it answered is in it.
    fn written(&self) -> u64 {
        std::fs::metadata(self.append_only_file()).unwrap().len()
    }

    async fn join(&self, who: &[Newcomer]) -> (DropState, Vec<PlaceState>) {
        let (mut joined, mut state) = (Vec::new(), None);
        for some in who.chunks(50) {
            let (told, answers) = self.line.join(&self.id, some).await.unwrap();
            joined.extend(answers.into_iter().map(|answer| match answer {
                Joined::New(place) | Joined::Known(place) => place,
                refused => panic!("{refused:?}"),
            }));
            state = Some(told);
        }
        (state.unwrap(), joined)
    }

    async fn epoch_of_marks(&self) -> i64 {
        sqlx::query_scalar("SELECT epoch FROM line_marks").fetch_one(&self.world.pool).await.unwrap()
    }

    async fn look(&self, n: u128) -> PlaceState {
        self.line.look(&self.id, &[place(n)]).await.unwrap().1[0]
    }

    async fn release(&self, level: Level) -> (DropState, admission::line::Released) {
        self.line.release(&self.id, level).await.unwrap()
    }

    /// Claims for a called place until the bucket grants.
    async fn admit(&self, n: u128) -> PlaceState {
        loop {
            let (_, state) = self.line.claim(&self.id, place(n)).await.unwrap();
            if matches!(state, PlaceState::Admitted { .. }) {
                return state;
            }
        }
    }

    /// Steps without calling anybody until the fans had time to come back; asserts that it stands still.
    async fn gather(&self) {
        loop {
            let (state, released) = self.release(EVERYBODY).await;
            if !state.regathering() {
                return;
            }
            assert_eq!((released.called, released.granted), (0, 0), "while they gather");
        }
    }
}

fn newcomer(n: u128) -> Newcomer {
    Newcomer { place: place(n), visitor_hash: [0; 32], receipt: None, account: None }
}

fn with_pass(n: u128, key: OrderKey, epoch: u64) -> Newcomer {
    Newcomer { receipt: Some(Receipt { place: place(n), key: Some(key), epoch, generation: 0 }), ..newcomer(n) }
}

fn session(state: PlaceState) -> (u64, u64) {
    match state {
        PlaceState::Admitted { granted_at, session_ends, .. } => (granted_at, session_ends),
        other => panic!("not inside: {other:?}"),
    }
}

/// A shuffle that is the same in every run.
fn shuffle<T>(things: &mut [T]) {
    let mut x = 0x2545_F491_4F6C_DD1D_u64;
    for at in (1..things.len()).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        things.swap(at, usize::try_from(x % (at as u64 + 1)).unwrap());
    }
}

#[tokio::test]
async fn after_flushall_everybody_is_back_in_the_old_order_and_nobody_gets_in_twice() {
    const FANS: u128 = 600;
    let mut s = sale(2, |_| ()).await;
    let who: Vec<_> = (0..FANS).map(newcomer).collect();
    let (before, joined) = s.join(&who).await;
    let keys: Vec<OrderKey> = joined.iter().map(|place| place.key().unwrap()).collect();
    // 0..60 get in, 0..10 of them finish; 60..100 are called and silent; 590..600 leave out of the line
    while s.release(Level { expected_claims: 100, ..EVERYBODY }).await.1.called > 0 {}
    for n in 0..60 {
        s.admit(n).await;
    }
    for n in 0..10 {
        s.line.end_place(&s.id, place(n), EndReason::Finished).await.unwrap();
    }
    for n in 590..FANS {
        s.line.end_place(&s.id, place(n), EndReason::Left).await.unwrap();
    }
    s.keep().await;
    // the last second, which nobody wrote down: two more get in
    for n in 60..62 {
        s.admit(n).await;
    }
    let mut inside = BTreeMap::new();
    for n in 10..60 {
        inside.insert(n, session(s.look(n).await));
    }

    s.flush().await;
    assert!(matches!(s.line.look(&s.id, &[place(1)]).await, Err(LineError::Restoring)));
    s.keep().await;

    // the first who are back are newcomers; then the others with their passes, in any order
    let newcomers: Vec<_> = (1_000..1_020).map(newcomer).collect();
    let (after, _) = s.join(&newcomers).await;
    assert_eq!(after.epoch, before.epoch + 1);
    assert!(after.regathering());
    let mut back: Vec<_> = (0..FANS).map(|n| with_pass(n, keys[usize::try_from(n).unwrap()], before.epoch)).collect();
    shuffle(&mut back);
    s.join(&back).await;
    assert_eq!(s.release(EVERYBODY).await.1.called, 0, "nobody is called while they gather");
    for n in 0..10 {
        assert!(matches!(s.look(n).await, PlaceState::Ended { reason: EndReason::Finished, .. }), "{n} had finished");
    }
    for (&n, &was) in &inside {
        assert_eq!(session(s.look(n).await), was, "{n} is inside as before, the session not renewed");
    }
    let (_, watched) = s.line.watch(&s.id, None, false).await.unwrap();
    assert_eq!(watched.counts.active, 50, "and counts for max_active");
    assert_eq!(watched.counts.waiting, 590 - 60 + 20, "everybody else is back in line");
    s.gather().await;

    let mut order = Vec::new();
    let mut last_change = watched.last_change;
    while order.len() < 550 {
        s.release(EVERYBODY).await;
        let (_, watched) = s.line.watch(&s.id, Some(&last_change), false).await.unwrap();
        last_change = watched.last_change;
        order.extend(watched.changes.into_iter().filter_map(|change| match change {
            Change::Place(place) => Some(place),
            _ => None,
        }));
    }
    let expected: Vec<String> = (60..590).chain(1_000..1_020).map(|n| place(n).to_string()).collect();
    assert_eq!(order, expected, "no inversions: the called first, newcomers behind all");
    // the two of the unwritten second: the same place, so the same admission, once more through the bucket
    for n in 60..590 {
        s.admit(n).await;
    }
    s.keep().await;
    let grants: i64 = sqlx::query_scalar("SELECT count(*) FROM line_grants").fetch_one(&s.world.pool).await.unwrap();
    assert_eq!(grants, 590, "one admission a place");
    for (&n, &was) in &inside {
        assert_eq!(session(s.look(n).await), was);
    }
}

#[tokio::test]
async fn those_inside_count_after_a_loss_and_their_leaving_frees_a_slot() {
    let mut s = sale(0, |settings| settings.max_active = 2).await;
    let (_, joined) = s.join(&[newcomer(0), newcomer(1), newcomer(2)]).await;
    s.release(EVERYBODY).await;
    s.admit(0).await;
    s.admit(1).await;
    s.keep().await;
    s.flush().await;
    s.keep().await;
    s.join(&[with_pass(2, joined[2].key().unwrap(), 1)]).await;
    s.release(EVERYBODY).await;
    let (_, waits) = s.line.claim(&s.id, place(2)).await.unwrap();
    assert!(matches!(waits, PlaceState::Claiming { .. }), "the house is full: {waits:?}");
    assert_eq!(s.release(EVERYBODY).await.1.granted, 0);
    s.line.end_place(&s.id, place(0), EndReason::Finished).await.unwrap();
    s.admit(2).await;
}

#[tokio::test]
async fn a_pause_before_the_loss_still_counts_after_it() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    s.release(EVERYBODY).await;
    s.admit(0).await;
    drops::pause(&s.world.pool, &s.line, &s.id, "a minute", "cli").await.unwrap();
    let since = s.release(EVERYBODY).await.0.now;
    while s.release(EVERYBODY).await.0.now < since + 300_000 {}
    s.drop = drops::resume(&s.world.pool, &s.line, &s.id, "cli").await.unwrap();
    let was = session(s.look(0).await);
    s.keep().await;
    s.flush().await;
    s.keep().await;
    assert_eq!(session(s.look(0).await), was, "drop time stood still, and that is not forgotten");

    s.drop = drops::pause(&s.world.pool, &s.line, &s.id, "another", "cli").await.unwrap();
    s.keep().await;
    let (state, looked) = s.line.look(&s.id, &[place(0)]).await.unwrap();
    let left = session(looked[0]).1 - state.now;
    s.flush().await;
    s.keep().await;
    let (state, looked) = s.line.look(&s.id, &[place(0)]).await.unwrap();
    assert_eq!(state.pause_reason, "another");
    assert_eq!(session(looked[0]).1 - state.now, left, "and it stands still through the loss");
}

#[tokio::test]
async fn what_was_told_and_counted_is_told_after_a_loss() {
    let mut s = sale(0, |_| ()).await;
    let notice = serde_json::json!({ "id": "1", "text": "Doors at 7", "lang": "en", "at": "2027-01-01T00:00:00Z" });
    s.line.notify(&s.id, &serde_json::from_value(notice).unwrap()).await.unwrap();
    s.line.report_stock(&s.id, Stock { capacity: 5, held: 0, sold: 5 }).await.unwrap();
    s.keep().await;
    let told = s.line.look(&s.id, &[]).await.unwrap().0;
    let counted = s.line.watch(&s.id, None, false).await.unwrap().1.counts;
    s.flush().await;
    s.keep().await;
    let again = s.line.look(&s.id, &[]).await.unwrap().0;
    assert_eq!((again.notice, again.sold_out), (told.notice, true));
    assert_eq!(s.line.watch(&s.id, None, false).await.unwrap().1.counts, counted);
}

#[tokio::test]
async fn a_place_given_up_before_the_loss_leads_on_after_it() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0)]).await;
    s.line.end_place(&s.id, place(0), EndReason::Left).await.unwrap();
    s.keep().await;
    s.line.give_up(&s.id, place(0)).await.unwrap();
    s.keep().await;
    s.flush().await;
    s.keep().await;
    assert!(matches!(s.look(0).await, PlaceState::Ended { given_up: true, .. }));
}

#[tokio::test]
async fn more_ends_than_one_look_shows_are_all_written() {
    let mut s = sale(0, |_| ()).await;
    let who: Vec<_> = (0..2_300).map(newcomer).collect();
    s.join(&who).await;
    for n in 0..2_300 {
        s.line.end_place(&s.id, place(n), EndReason::Left).await.unwrap();
    }
    s.keep().await;
    let ends: i64 = sqlx::query_scalar("SELECT count(*) FROM ended_places").fetch_one(&s.world.pool).await.unwrap();
    assert_eq!(ends, 2_300);
}

#[tokio::test]
async fn another_run_of_redis_with_all_its_data_is_a_new_epoch_and_a_second_of_rest() {
    let mut s = sale(60, |_| ()).await;
    let (before, joined) = s.join(&[newcomer(0), newcomer(1), newcomer(2)]).await;
    s.release(Level { expected_claims: 2, ..EVERYBODY }).await;
    let was = session(s.admit(0).await);
    s.line.claim(&s.id, place(1)).await.unwrap();
    let (_, first) = s.line.watch(&s.id, None, false).await.unwrap();
    s.start_again(None).await;

    for answer in [
        s.line.release(&s.id, EVERYBODY).await.map(drop),
        s.line.join(&s.id, &[newcomer(9)]).await.map(drop),
        s.line.look(&s.id, &[place(0)]).await.map(drop),
        s.line.claim(&s.id, place(1)).await.map(drop),
        s.line.end_place(&s.id, place(0), EndReason::Finished).await,
    ] {
        assert!(matches!(answer, Err(LineError::Restoring)), "until it is compared with the marks: {answer:?}");
    }
    s.keep().await;
    let (after, looked) = s.line.look(&s.id, &[place(0), place(2)]).await.unwrap();
    assert_eq!(after.epoch, before.epoch + 1);
    assert!(after.regathering() && after.regather_until.unwrap() <= after.now + 1_000_000);
    assert_eq!(session(looked[0]), was);
    assert_eq!(looked[1].key(), joined[2].key());
    let (_, watched) = s.line.watch(&s.id, Some(&first.last_change), false).await.unwrap();
    assert!(watched.changes.contains(&Change::Gap), "all streams look again: {:?}", watched.changes);
    s.gather().await;
    s.release(EVERYBODY).await;
    assert!(matches!(s.look(2).await, PlaceState::Called { .. }), "and it goes on by itself");
    // and the second run is known from now on
    s.keep().await;
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, before.epoch + 1);
}

#[tokio::test]
async fn a_redis_back_without_its_last_second_is_put_right_by_marks_and_passes() {
    let mut s = sale(1, |_| ()).await;
    let (before, joined) = s.join(&[newcomer(0), newcomer(1), newcomer(2)]).await;
    s.release(EVERYBODY).await;
    s.keep().await;
    let length = s.written();
    // what Redis will have forgotten, the marks will not: a grant, an end, a join
    let was = session(s.admit(0).await);
    s.line.end_place(&s.id, place(1), EndReason::Left).await.unwrap();
    let (_, late) = s.join(&[newcomer(3)]).await;
    s.keep().await;
    // and what nobody wrote down
    let (_, latest) = s.join(&[newcomer(4)]).await;

    s.start_again(Some(length)).await;
    s.keep().await;
    assert_eq!(session(s.look(0).await), was, "the same admission");
    assert!(matches!(s.look(1).await, PlaceState::Ended { reason: EndReason::Left, .. }));
    assert!(matches!(s.look(2).await, PlaceState::Called { .. }), "what was there is there");
    assert_eq!(s.look(4).await, PlaceState::Unknown);
    let passes = [4, 3].map(|n| with_pass(n, if n == 3 { late[0] } else { latest[0] }.key().unwrap(), before.epoch));
    let (after, _) = s.join(&[newcomer(5)]).await;
    assert!(after.regathering());
    s.join(&passes).await;
    let keys: Vec<_> = [s.look(2).await, s.look(3).await, s.look(4).await, s.look(5).await].map(|p| p.key()).to_vec();
    assert_eq!(keys[..3], [joined[2].key(), late[0].key(), latest[0].key()], "at the keys of their passes");
    assert!(keys[3] > keys[2], "newcomers behind");
    s.gather().await;
    while !matches!(s.look(5).await, PlaceState::Called { .. }) {
        s.release(pace::level(60_000, 0)).await;
    }
}

#[tokio::test]
async fn two_processes_restore_a_line_once() {
    let mut s = sale(60, |_| ()).await;
    let before = s.line.look(&s.id, &[]).await.unwrap().0.epoch;
    s.flush().await;
    let mut other = Keeper::new(s.world.pool.clone(), 60);
    let (one, two) = tokio::join!(s.keeper.keep(&s.line, &s.drop), other.keep(&s.line, &s.drop));
    one.unwrap();
    two.unwrap();
    assert_eq!(s.line.look(&s.id, &[]).await.unwrap().0.epoch, before + 1);
    assert_eq!(s.epoch_of_marks().await.unsigned_abs(), before + 1, "Postgres knows no later one");
}

#[tokio::test]
async fn the_line_of_a_drop_that_ended_yesterday_is_removed_and_its_end_is_still_told() {
    let mut s = sale(0, |_| ()).await;
    s.join(&[newcomer(0), newcomer(1)]).await;
    s.line.end_place(&s.id, place(0), EndReason::Left).await.unwrap();
    s.line.show_draw(&s.id, "{}", 1, false).await.unwrap();
    s.line.show_list(&s.id, &[7; 16]).await.unwrap();
    drops::end(&s.world.pool, &s.line, &s.id, "cli").await.unwrap();
    s.keeper.sweep(&s.line).await.unwrap();
    assert!(matches!(s.look(1).await, PlaceState::Waiting { .. }), "not yet");
    sqlx::query("UPDATE drops SET updated_at = now() - interval '25 hours'").execute(&s.world.pool).await.unwrap();
    s.keeper.sweep(&s.line).await.unwrap();
    let mut keys: Vec<String> = redis::AsyncCommands::keys(&mut s.redis, "onsale:*").await.unwrap();
    keys.sort();
    let kept = ["control", "entrants", "face"].map(|name| format!("onsale:{{evening}}:{name}"));
    assert_eq!(keys, kept, "that it ended, and how its order was drawn");
    let ends: i64 = sqlx::query_scalar("SELECT count(*) FROM ended_places").fetch_one(&s.world.pool).await.unwrap();
    assert_eq!(ends, 1, "what had not been written was written first");
    s.start_again(None).await;
    let (state, joined) = s.line.join(&s.id, &[newcomer(7)]).await.unwrap();
    assert!(state.ended);
    assert_eq!(joined[0], Joined::Over);
}
