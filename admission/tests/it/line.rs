//! A place's life in Redis, step by step.

use std::sync::atomic::{AtomicU64, Ordering};

use admission::{
    ids::{DropId, OrderKey, Place},
    line::{Change, EndReason, Joined, Line, LineError, Newcomer, Order, Phase, PlaceState, Stock},
    pace,
};
use shared::testing::{World, world};

/// A line of its own in a world of its own; rate in admissions a minute.
pub(crate) struct Stage {
    pub(crate) line: Line,
    pub(crate) drop: DropId,
    version: AtomicU64,
    _world: World,
}

pub(crate) const OPEN_LONG_AGO: &str = "1000";
pub(crate) const NEVER: &str = "9000000000000000";

pub(crate) async fn stage(rate: u32, fields: &[(&'static str, &str)]) -> Stage {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let drop = DropId::parse("evening").unwrap();
    let mut control = vec![
        ("epoch", "1".to_owned()),
        ("rate", rate.to_string()),
        ("max_active", "1000000".to_owned()),
        ("claim_us", "60000000".to_owned()),
        ("grace_us", "60000000".to_owned()),
        ("session_us", "60000000".to_owned()),
        ("opens_at", OPEN_LONG_AGO.to_owned()),
    ];
    for (field, value) in fields {
        control.retain(|(name, _)| name != field);
        control.push((field, (*value).to_owned()));
    }
    line.create(&drop, &control).await.unwrap();
    Stage { line, drop, version: AtomicU64::new(0), _world: world }
}

pub(crate) fn place(n: u128) -> Place {
    Place::from_bytes(n.to_be_bytes())
}

fn newcomer(n: u128) -> Newcomer {
    Newcomer { place: place(n), visitor_hash: [0; 32], receipt: None, account: None }
}

impl Stage {
    /// What an operator decides next.
    pub(crate) async fn order(&self, phase: Phase, settings: &[(&'static str, &str)]) {
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let settings = settings.iter().map(|(field, value)| (*field, (*value).to_owned())).collect();
        self.line.apply(&self.drop, &Order { version, phase, settings }).await.unwrap();
    }

    async fn open(&self) {
        self.order(Phase::Going, &[("opens_at", OPEN_LONG_AGO)]).await;
    }

    pub(crate) async fn pause(&self, reason: &str) {
        self.order(Phase::Paused { reason: reason.to_owned() }, &[]).await;
    }

    pub(crate) async fn resume(&self) {
        self.order(Phase::Going, &[]).await;
    }

    pub(crate) async fn join(&self, n: u128) -> Joined {
        self.line.join(&self.drop, &[newcomer(n)]).await.unwrap().1[0]
    }

    pub(crate) async fn join_many(&self, fans: std::ops::Range<u128>) {
        let who: Vec<_> = fans.map(newcomer).collect();
        for some in who.chunks(256) {
            self.line.join(&self.drop, some).await.unwrap();
        }
    }

    pub(crate) async fn look(&self, n: u128) -> PlaceState {
        self.line.look(&self.drop, &[place(n)]).await.unwrap().1[0]
    }

    /// Steps until `n` is no longer waiting.
    pub(crate) async fn until_called(&self, n: u128) {
        let level = pace::Level { expected_claims: 1_000, reaction_us: 3_000_000, when_full: 1 };
        while matches!(self.look(n).await, PlaceState::Waiting { .. }) {
            self.line.release(&self.drop, level).await.unwrap();
        }
    }

    /// Claims and steps until granted; the bucket decides when.
    pub(crate) async fn admit(&self, n: u128) -> PlaceState {
        self.until_called(n).await;
        loop {
            let (_, state) = self.line.claim(&self.drop, place(n)).await.unwrap();
            if matches!(state, PlaceState::Admitted { .. }) {
                return state;
            }
        }
    }
}

#[tokio::test]
async fn joining_twice_is_the_same_place_in_every_state() {
    let s = stage(6_000, &[]).await;
    let Joined::New(first) = s.join(1).await else { panic!("a first join is new") };
    assert_eq!(s.join(1).await, Joined::Known(first));
    s.until_called(1).await;
    let key = first.key();
    let Joined::Known(called @ PlaceState::Called { .. }) = s.join(1).await else { panic!("still called") };
    assert_eq!(called.key(), key);
    let admitted = s.admit(1).await;
    assert_eq!(s.join(1).await, Joined::Known(admitted));
    assert_eq!(admitted.key(), key);
    s.line.end_place(&s.drop, place(1), EndReason::Finished).await.unwrap();
    let Joined::Known(PlaceState::Ended { reason, .. }) = s.join(1).await else { panic!("ended stays ended") };
    assert_eq!(reason, EndReason::Finished);
}

#[tokio::test]
async fn many_joins_in_one_call_keep_their_order_and_get_distinct_keys() {
    let s = stage(60, &[]).await;
    let who: Vec<_> = (0..500).map(newcomer).collect();
    let (_, joined) = s.line.join(&s.drop, &who).await.unwrap();
    let keys: Vec<_> = joined
        .iter()
        .map(|joined| match joined {
            Joined::New(PlaceState::Waiting { key, .. }) => *key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "keys grow in the order of joining");
    for n in [0, 1, 250, 499] {
        let PlaceState::Waiting { rank, .. } = s.look(n).await else { panic!("waiting") };
        assert_eq!(u128::from(rank), n);
    }
}

#[tokio::test]
async fn before_the_opening_one_waits_in_the_lobby_by_rediss_clock() {
    let s = stage(6_000, &[("opens_at", NEVER)]).await;
    assert_eq!(s.join(1).await, Joined::New(PlaceState::Lobby));
    s.open().await;
    assert_eq!(s.look(1).await, PlaceState::Drawing);
    let Joined::New(PlaceState::Waiting { rank, .. }) = s.join(2).await else { panic!("a latecomer waits") };
    assert_eq!(rank, 1, "the undrawn lobby stands before a latecomer");
    assert_eq!(s.line.draw(&s.drop, &[(place(1), OrderKey(17))]).await.unwrap().1, 0);
    let PlaceState::Waiting { key, rank } = s.look(1).await else { panic!("drawn") };
    assert_eq!((key, rank), (OrderKey(17), 0));
    assert_eq!(s.line.draw(&s.drop, &[(place(1), OrderKey(99))]).await.unwrap().1, 0);
    assert_eq!(s.look(1).await.key(), Some(OrderKey(17)), "drawing again changes nothing");
}

#[tokio::test]
async fn nobody_is_called_before_the_draw_is_done() {
    let s = stage(6_000, &[("opens_at", NEVER)]).await;
    s.join(1).await;
    s.open().await;
    s.join(2).await;
    let level = pace::level(6_000, 0);
    assert_eq!(s.line.release(&s.drop, level).await.unwrap().1.called, 0);
    s.line.draw(&s.drop, &[(place(1), OrderKey(17))]).await.unwrap();
    assert_eq!(s.line.release(&s.drop, level).await.unwrap().1.called, 2);
}

#[tokio::test]
async fn fans_are_called_in_order_of_key() {
    let s = stage(60, &[]).await;
    s.join_many(0..50).await;
    let level = pace::Level { expected_claims: 3, reaction_us: 3_000_000, when_full: 1 };
    assert_eq!(s.line.release(&s.drop, level).await.unwrap().1.called, 3);
    for n in 0..3 {
        assert!(matches!(s.look(n).await, PlaceState::Called { .. }), "{n}");
    }
    assert!(matches!(s.look(3).await, PlaceState::Waiting { rank: 0, .. }));
    let again = s.line.release(&s.drop, level).await.unwrap().1;
    assert_eq!(again.called, 0, "the level is held, not added to");
}

#[tokio::test]
async fn a_claim_before_the_call_takes_nothing() {
    let s = stage(6_000, &[]).await;
    s.join(1).await;
    let (_, state) = s.line.claim(&s.drop, place(1)).await.unwrap();
    assert!(matches!(state, PlaceState::Waiting { .. }));
    let (_, nobody) = s.line.claim(&s.drop, place(9)).await.unwrap();
    assert_eq!(nobody, PlaceState::Unknown);
}

#[tokio::test]
async fn claims_that_wait_are_granted_in_order_of_key_whoever_claimed_first() {
    // a full house: every claim waits until a slot is free
    let s = stage(60_000, &[("max_active", "1")]).await;
    s.join_many(0..9).await;
    s.admit(0).await;
    s.until_called(8).await;
    for n in (1..9).rev() {
        let (_, state) = s.line.claim(&s.drop, place(n)).await.unwrap();
        assert!(matches!(state, PlaceState::Claiming { .. }), "{n}: {state:?}");
    }
    for n in 1..9 {
        s.line.end_place(&s.drop, place(n - 1), EndReason::Finished).await.unwrap();
        while !matches!(s.look(n).await, PlaceState::Admitted { .. }) {
            s.line.release(&s.drop, pace::level(60_000, 0)).await.unwrap();
            for later in n + 1..9 {
                assert!(matches!(s.look(later).await, PlaceState::Claiming { .. }), "{later} before {n}");
            }
        }
    }
}

#[tokio::test]
async fn the_bucket_bounds_grants_in_every_window() {
    let rate = 6_000; // 100 a second, burst 25
    let s = stage(rate, &[]).await;
    s.join_many(0..400).await;
    s.until_called(399).await;
    for n in 0..400 {
        s.line.claim(&s.drop, place(n)).await.unwrap();
    }
    let level = pace::level(rate.into(), 0);
    while s.line.release(&s.drop, level).await.unwrap().1.claims > 0 {}
    let mut at = Vec::new();
    for n in 0..400 {
        let PlaceState::Admitted { granted_at, .. } = s.look(n).await else { panic!("granted") };
        at.push(granted_at);
    }
    at.sort_unstable();
    let bound = (f64::from(rate) / 60.0 + pace::burst(rate.into())) as usize;
    for (i, start) in at.iter().enumerate() {
        let within = at[i..].iter().take_while(|&&t| t < start + 1_000_000).count();
        assert!(within <= bound, "{within} grants within a second of {start}, bound {bound}");
    }
    // 400 at 100 a second, less the burst that was saved up
    let took = at[399] - at[0];
    assert!(took >= 3_740_000, "faster than the rate: {took} µs");
}

/// Steps until Redis's clock has moved on by `us`, and says where it stands.
async fn pass_time(s: &Stage, rate: u32, us: u64) -> u64 {
    let level = pace::level(rate.into(), 0);
    let begin = s.line.release(&s.drop, level).await.unwrap().0.now;
    loop {
        let now = s.line.release(&s.drop, level).await.unwrap().0.now;
        if now > begin + us {
            return now;
        }
    }
}

#[tokio::test]
async fn nothing_is_saved_up_while_the_line_is_empty_or_paused() {
    let rate = 60; // one a second, burst 1
    let s = stage(rate, &[]).await;
    // empty for longer than a token takes
    let begin = pass_time(&s, rate, 1_500_000).await;
    s.join(1).await;
    s.until_called(1).await;
    let PlaceState::Admitted { granted_at: first, .. } = s.admit(1).await else { panic!("admitted") };
    assert!(first >= begin + 900_000, "a token was saved up while the line was empty");

    s.pause("a minute").await;
    s.join(2).await;
    let resumed = pass_time(&s, rate, 1_500_000).await;
    assert!(matches!(s.look(2).await, PlaceState::Waiting { .. }), "paused: nobody is called");
    s.resume().await;
    s.until_called(2).await;
    let PlaceState::Admitted { granted_at: second, .. } = s.admit(2).await else { panic!("admitted") };
    assert!(second >= resumed + 500_000, "a token was saved up while paused");
}

#[tokio::test]
async fn max_active_caps_who_is_inside_and_leaving_frees_the_slot() {
    let s = stage(6_000_000, &[("max_active", "2")]).await;
    s.join_many(0..5).await;
    s.admit(0).await;
    s.admit(1).await;
    s.until_called(2).await;
    for _ in 0..20 {
        let (_, state) = s.line.claim(&s.drop, place(2)).await.unwrap();
        assert!(matches!(state, PlaceState::Claiming { .. }), "the house is full: {state:?}");
    }
    s.line.end_place(&s.drop, place(0), EndReason::Left).await.unwrap();
    assert!(matches!(s.admit(2).await, PlaceState::Admitted { .. }));
}

#[tokio::test]
async fn a_silent_fan_lapses_may_come_back_within_grace_and_is_then_ended() {
    let s = stage(60_000, &[("claim_us", "1"), ("grace_us", "60000000")]).await;
    s.join(1).await;
    s.until_called(1).await;
    assert!(matches!(s.look(1).await, PlaceState::Lapsed { .. }));
    assert!(matches!(s.admit(1).await, PlaceState::Admitted { .. }), "within grace a claim counts");

    s.order(Phase::Going, &[("grace_us", "1")]).await;
    s.join(2).await;
    s.until_called(2).await;
    let level = pace::level(60_000, 0);
    while !matches!(s.look(2).await, PlaceState::Ended { .. }) {
        s.line.release(&s.drop, level).await.unwrap();
    }
    let (_, state) = s.line.claim(&s.drop, place(2)).await.unwrap();
    assert!(matches!(state, PlaceState::Ended { reason: EndReason::Lapsed, .. }), "{state:?}");
}

#[tokio::test]
async fn leaving_gives_the_slot_to_the_next_claim_in_the_same_step() {
    let s = stage(60_000, &[("max_active", "1")]).await;
    s.join_many(0..2).await;
    s.admit(0).await;
    s.until_called(1).await;
    let (since, state) = s.line.claim(&s.drop, place(1)).await.unwrap();
    assert!(matches!(state, PlaceState::Claiming { .. }), "the house is full: {state:?}");
    // a full house saves up the token for the next slot
    while s.line.release(&s.drop, pace::level(60_000, 0)).await.unwrap().0.now < since.now + 10_000 {}
    s.line.end_place(&s.drop, place(0), EndReason::Left).await.unwrap();
    assert!(matches!(s.look(1).await, PlaceState::Admitted { .. }), "without a run of the release loop");
}

#[tokio::test]
async fn a_full_house_saves_up_no_more_than_one_token() {
    let s = stage(600, &[("max_active", "3")]).await; // ten a second, a burst of two
    s.join_many(0..6).await;
    for n in 0..3 {
        s.admit(n).await;
    }
    s.until_called(5).await;
    for n in 3..6 {
        s.line.claim(&s.drop, place(n)).await.unwrap();
    }
    let since = s.line.look(&s.drop, &[]).await.unwrap().0.now;
    while s.line.release(&s.drop, pace::level(600, 0)).await.unwrap().0.now < since + 500_000 {}
    for n in 0..3 {
        s.line.end_place(&s.drop, place(n), EndReason::Left).await.unwrap();
    }
    let mut at = Vec::new();
    for n in 3..6 {
        let PlaceState::Admitted { granted_at, .. } = s.admit(n).await else { panic!("granted") };
        at.push(granted_at);
    }
    assert!(at[1] - at[0] >= 50_000 && at[2] - at[1] >= 50_000, "no burst after a full house: {at:?}");
}

#[tokio::test]
async fn back_within_grace_is_ahead_of_later_claims() {
    let s = stage(60_000, &[("max_active", "1"), ("claim_us", "1000")]).await;
    s.join_many(0..4).await;
    s.admit(0).await;
    s.until_called(3).await;
    for n in [2, 3] {
        s.line.claim(&s.drop, place(n)).await.unwrap();
    }
    while !matches!(s.look(1).await, PlaceState::Lapsed { .. }) {
        s.line.release(&s.drop, pace::level(60_000, 0)).await.unwrap();
    }
    s.line.claim(&s.drop, place(1)).await.unwrap();
    s.line.end_place(&s.drop, place(0), EndReason::Left).await.unwrap();
    while !matches!(s.look(1).await, PlaceState::Admitted { .. }) {
        s.line.release(&s.drop, pace::level(60_000, 0)).await.unwrap();
    }
    for n in [2, 3] {
        assert!(matches!(s.look(n).await, PlaceState::Claiming { .. }), "{n} stands behind");
    }
}

#[tokio::test]
async fn while_paused_nothing_lapses() {
    let s = stage(60_000, &[("claim_us", "200000"), ("grace_us", "0")]).await;
    s.join(1).await;
    s.until_called(1).await;
    s.pause("a fire alarm").await;
    let PlaceState::Called { deadline, .. } = s.look(1).await else { panic!("called") };
    // until the claim window would have ended on the plain clock
    loop {
        let (state, _) = s.line.release(&s.drop, pace::level(60_000, 0)).await.unwrap();
        if state.now > deadline + 200_000 {
            break;
        }
    }
    let PlaceState::Called { deadline: moved, .. } = s.look(1).await else { panic!("a pause lapsed a fan") };
    assert!(moved > deadline, "the deadline moves on with the pause");
}

#[tokio::test]
async fn a_session_ends_and_its_slot_goes_on() {
    let s = stage(60_000, &[("session_us", "1")]).await;
    s.join(1).await;
    s.admit(1).await;
    let level = pace::level(60_000, 0);
    while !matches!(s.look(1).await, PlaceState::Ended { .. }) {
        s.line.release(&s.drop, level).await.unwrap();
    }
    assert_eq!(s.line.ended(&s.drop, place(1)).await.unwrap(), Some(EndReason::SessionOver));
}

#[tokio::test]
async fn sold_out_stops_calls_and_stock_coming_back_resumes_them() {
    let s = stage(6_000, &[]).await;
    s.join(1).await;
    s.line.report_stock(&s.drop, Stock { capacity: 10, held: 0, sold: 10 }).await.unwrap();
    let (state, released) = s.line.release(&s.drop, pace::level(6_000, 0)).await.unwrap();
    assert!(state.sold_out);
    assert_eq!(released.called, 0);
    s.line.report_stock(&s.drop, Stock { capacity: 10, held: 0, sold: 9 }).await.unwrap();
    assert_eq!(s.line.release(&s.drop, pace::level(6_000, 0)).await.unwrap().1.called, 1);
}

#[tokio::test]
async fn an_account_has_one_live_place() {
    let s = stage(6_000, &[]).await;
    let with = |n| Newcomer { account: Some("ada".to_owned()), ..newcomer(n) };
    assert!(matches!(s.line.join(&s.drop, &[with(1)]).await.unwrap().1[0], Joined::New(_)));
    assert_eq!(s.line.join(&s.drop, &[with(2)]).await.unwrap().1[0], Joined::AccountBound);
    s.line.end_place(&s.drop, place(1), EndReason::Left).await.unwrap();
    assert!(matches!(s.line.join(&s.drop, &[with(2)]).await.unwrap().1[0], Joined::New(_)));
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_once() {
    let s = stage(60_000, &[]).await;
    let (_, first) = s.line.watch(&s.drop, None, false).await.unwrap();
    s.join_many(0..300).await;
    let one = pace::Level { expected_claims: 1, reaction_us: 3_000_000, when_full: 1 };
    assert_eq!(s.line.release(&s.drop, one).await.unwrap().1.called, 1);
    s.admit(0).await;
    s.line.end_place(&s.drop, place(0), EndReason::Finished).await.unwrap();
    s.pause("a minute").await;
    let (_, watched) = s.line.watch(&s.drop, Some(&first.last_change), true).await.unwrap();
    let of_first: Vec<_> = watched.changes.iter().filter(|&c| *c == Change::Place(place(0).to_string())).collect();
    assert_eq!(of_first.len(), 3, "called, admitted, finished: {:?}", watched.changes);
    assert_eq!(watched.changes.last(), Some(&Change::Drop));
    assert_eq!(watched.pivots.first().unwrap().0, 0);
    assert_eq!(watched.pivots.last().unwrap().0, watched.counts.waiting - 1);
    let (_, nothing) = s.line.watch(&s.drop, Some(&watched.last_change), false).await.unwrap();
    assert!(nothing.changes.is_empty() && nothing.pivots.is_empty());
}

#[tokio::test]
async fn an_older_order_changes_nothing() {
    let s = stage(60, &[]).await;
    s.pause("first").await;
    s.resume().await;
    let late = Order { version: 1, phase: Phase::Paused { reason: "late".to_owned() }, settings: Vec::new() };
    s.line.apply(&s.drop, &late).await.unwrap();
    assert_eq!(s.line.look(&s.drop, &[]).await.unwrap().0.paused_at, None);
}

#[tokio::test]
async fn an_ended_drop_gives_no_new_places_and_keeps_the_old() {
    let s = stage(60, &[]).await;
    s.join(1).await;
    s.order(Phase::Ended, &[]).await;
    assert_eq!(s.join(2).await, Joined::Over);
    assert!(matches!(s.join(1).await, Joined::Known(PlaceState::Waiting { .. })));
}

#[tokio::test]
async fn a_missing_control_is_restoring_never_a_new_line() {
    let s = stage(60, &[]).await;
    let other = DropId::parse("unknown").unwrap();
    assert!(matches!(s.line.join(&other, &[newcomer(1)]).await, Err(LineError::Restoring)));
    assert!(matches!(s.line.claim(&other, place(1)).await, Err(LineError::Restoring)));
    assert!(matches!(s.line.release(&other, pace::level(60, 0)).await, Err(LineError::Restoring)));
    let order = Order { version: 9, phase: Phase::Ended, settings: Vec::new() };
    assert!(matches!(s.line.apply(&other, &order).await, Err(LineError::Restoring)));
}

#[tokio::test]
async fn a_silent_booking_pauses_the_drop_and_its_return_resumes_it() {
    let s = stage(6_000, &[]).await;
    s.join(1).await;
    let level = pace::level(6_000, 0);
    s.line.watch_booking(&s.drop, 0, "silent").await.unwrap();
    assert_eq!(s.line.release(&s.drop, level).await.unwrap().0.paused_at, None, "booking never reported: not watched");
    let stock = Stock { capacity: 10, held: 0, sold: 1 };
    s.line.report_stock(&s.drop, stock).await.unwrap();
    s.line.watch_booking(&s.drop, 0, "silent").await.unwrap();
    let (state, _) = s.line.release(&s.drop, level).await.unwrap();
    assert_eq!((state.paused_at.is_some(), state.pause_reason.as_str()), (true, "silent"));
    s.line.watch_booking(&s.drop, 60_000_000, "silent").await.unwrap();
    assert_eq!(s.line.release(&s.drop, level).await.unwrap().0.paused_at, None);

    s.pause("by hand").await;
    s.line.watch_booking(&s.drop, 60_000_000, "silent").await.unwrap();
    let (state, _) = s.line.release(&s.drop, level).await.unwrap();
    assert_eq!(state.pause_reason, "by hand", "what an operator paused stays paused");
}

#[tokio::test]
async fn a_line_made_before_titles_is_called_by_its_id_until_an_order_brings_one() {
    let s = stage(60, &[]).await;
    assert_eq!(s.line.look(&s.drop, &[]).await.unwrap().0.title, "Evening");
    s.order(Phase::Going, &[("title", "Ada live")]).await;
    let (told, _) = s.line.look(&s.drop, &[]).await.unwrap();
    assert_eq!((told.title.as_str(), told.claim_window_s, told.grace_s, told.session_s), ("Ada live", 60, 60, 60));
}
