//! While every ticket is in somebody's hands: nobody is called or admitted, time stands still, and it goes
//! on by itself when a hold lapses.

use admission::{
    line::{DropState, EndReason, Phase, PlaceState, Stock},
    pace,
};

use super::line::{Stage, place, stage};

const RATE: u32 = 60_000;

async fn report(s: &Stage, held: u64, sold: u64) {
    s.line.report_stock(&s.drop, Stock { capacity: 10, held, sold }).await.unwrap();
}

async fn state(s: &Stage) -> DropState {
    s.line.look(&s.drop, &[]).await.unwrap().0
}

/// Whether it is paused, and why.
async fn paused(s: &Stage) -> Option<String> {
    let state = state(s).await;
    state.paused_at.map(|_| state.pause_reason)
}

async fn calls(s: &Stage) -> u64 {
    s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap().1.called
}

#[tokio::test]
async fn covered_stops_calls_and_a_lapsed_hold_goes_on_with_them() {
    let s = stage(RATE, &[]).await;
    s.join_many(0..2).await;
    report(&s, 4, 5).await;
    assert!(!state(&s).await.covered, "one ticket is free");
    report(&s, 5, 5).await;
    assert_eq!((state(&s).await.covered, paused(&s).await.as_deref()), (true, Some("covered")));
    assert_eq!(calls(&s).await, 0);
    report(&s, 4, 5).await;
    assert_eq!((state(&s).await.covered, paused(&s).await), (false, None));
    assert_eq!(calls(&s).await, 2);
}

#[tokio::test]
async fn covered_grants_nobody_and_lapses_nobody() {
    let s = stage(RATE, &[("claim_us", "200000"), ("grace_us", "0"), ("session_us", "300000")]).await;
    s.join_many(0..3).await;
    s.until_called(2).await;
    s.admit(2).await;
    report(&s, 5, 5).await;
    let PlaceState::Called { deadline, .. } = s.look(0).await else { panic!("called") };
    let PlaceState::Admitted { session_ends, .. } = s.look(2).await else { panic!("inside") };
    // until window and session would have ended on the plain clock
    while s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap().0.now < session_ends + 200_000 {}
    let (_, claimed) = s.line.claim(&s.drop, place(1)).await.unwrap();
    assert!(matches!(claimed, PlaceState::Claiming { .. }), "the claim is taken, and waits: {claimed:?}");
    let PlaceState::Called { deadline: moved, .. } = s.look(0).await else { panic!("a covered drop lapsed a fan") };
    assert!(moved > deadline);
    assert_eq!(
        s.line.ended(&s.drop, place(2)).await.unwrap(),
        Some(EndReason::SessionOver),
        "who has them cannot stay"
    );
    report(&s, 4, 5).await;
    while !matches!(s.look(1).await, PlaceState::Admitted { .. }) {
        s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap();
    }
}

#[tokio::test]
async fn an_operators_pause_wins_over_covered_and_stays() {
    let s = stage(RATE, &[]).await;
    report(&s, 5, 5).await;
    s.pause("a fire alarm").await;
    assert_eq!(paused(&s).await.as_deref(), Some("a fire alarm"));
    report(&s, 4, 5).await;
    assert_eq!(paused(&s).await.as_deref(), Some("a fire alarm"), "a lapsed hold does not lift it");
    report(&s, 5, 5).await;
    assert_eq!(paused(&s).await.as_deref(), Some("a fire alarm"));
    s.resume().await;
    assert_eq!(paused(&s).await.as_deref(), Some("covered"), "resumed into what is still covered");
    report(&s, 4, 5).await;
    assert_eq!(paused(&s).await, None);
    // and the other way around
    s.pause("a minute").await;
    report(&s, 5, 5).await;
    assert_eq!(paused(&s).await.as_deref(), Some("a minute"));
}

#[tokio::test]
async fn sold_out_is_the_last_word_after_covered() {
    let s = stage(RATE, &[]).await;
    s.join(1).await;
    report(&s, 5, 5).await;
    report(&s, 0, 10).await;
    let told = state(&s).await;
    assert_eq!((told.sold_out, told.covered, told.word()), (true, false, "sold_out"));
    assert_eq!(calls(&s).await, 0);
}

#[tokio::test]
async fn a_silent_booking_is_told_before_covered_and_covered_after_it() {
    let s = stage(RATE, &[]).await;
    report(&s, 5, 5).await;
    s.line.watch_booking(&s.drop, 0, "silent").await.unwrap();
    assert_eq!(paused(&s).await.as_deref(), Some("silent"));
    report(&s, 5, 5).await;
    s.line.watch_booking(&s.drop, 60_000_000, "silent").await.unwrap();
    assert_eq!(paused(&s).await.as_deref(), Some("covered"));
}

#[tokio::test]
async fn sessions_end_in_an_ended_drop_whatever_had_paused_it() {
    let s = stage(RATE, &[("session_us", "1000000")]).await;
    s.join(1).await;
    s.admit(1).await;
    report(&s, 5, 5).await;
    s.order(Phase::Ended, &[]).await;
    // a report that was under way when it ended
    report(&s, 5, 5).await;
    s.line.watch_booking(&s.drop, 0, "silent").await.unwrap();
    assert_eq!(paused(&s).await, None);
    while s.line.ended(&s.drop, place(1)).await.unwrap() != Some(EndReason::SessionOver) {
        s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap();
    }
}

#[tokio::test]
async fn who_was_called_when_the_last_ticket_was_sold_has_the_rest_of_the_turn_when_one_comes_back() {
    let s = stage(RATE, &[("claim_us", "200000"), ("grace_us", "0"), ("session_us", "300000")]).await;
    s.join_many(0..2).await;
    s.admit(1).await;
    let PlaceState::Called { .. } = s.look(0).await else { panic!("called") };
    report(&s, 0, 10).await;
    let (sold_out, looked) = s.line.look(&s.drop, &[place(0), place(1)]).await.unwrap();
    let PlaceState::Admitted { session_ends, .. } = looked[1] else { panic!("inside: {:?}", looked[1]) };
    while s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap().0.now < sold_out.now + 600_000 {}
    let PlaceState::Called { .. } = s.look(0).await else { panic!("a turn passed while there was nothing to buy") };
    assert_eq!(s.line.ended(&s.drop, place(1)).await.unwrap(), Some(EndReason::SessionOver), "{session_ends}");
    report(&s, 0, 9).await;
    assert_eq!(paused(&s).await, None);
    while !matches!(s.line.claim(&s.drop, place(0)).await.unwrap().1, PlaceState::Admitted { .. }) {}
}

#[tokio::test]
async fn sessions_stand_still_in_an_operators_pause_and_run_on_when_it_turns_into_covered() {
    let s = stage(RATE, &[("session_us", "400000")]).await;
    s.join(0).await;
    s.admit(0).await;
    s.pause("a minute").await;
    report(&s, 5, 5).await;
    let PlaceState::Admitted { session_ends, .. } = s.look(0).await else { panic!("inside") };
    while s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap().0.now < session_ends + 200_000 {}
    let (now, looked) = s.line.look(&s.drop, &[place(0)]).await.unwrap();
    let PlaceState::Admitted { session_ends, .. } = looked[0] else { panic!("a pause ended a session") };
    s.resume().await;
    let PlaceState::Admitted { session_ends: after, .. } = s.look(0).await else { panic!("inside") };
    assert!(after >= session_ends && after < session_ends + 200_000, "{after} {session_ends} {}", now.now);
    while s.line.ended(&s.drop, place(0)).await.unwrap().is_none() {
        assert!(s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap().0.now < after + 2_000_000);
    }
}

#[tokio::test]
async fn a_covered_drop_that_has_not_opened_is_not_paused() {
    let s = stage(RATE, &[("opens_at", super::line::NEVER)]).await;
    report(&s, 5, 5).await;
    assert_eq!((state(&s).await.covered, paused(&s).await), (true, None));
    s.order(Phase::Going, &[("opens_at", super::line::OPEN_LONG_AGO)]).await;
    s.join(0).await;
    assert_eq!(calls(&s).await, 0, "nor is anybody called before booking reports again");
    report(&s, 5, 5).await;
    assert_eq!(paused(&s).await.as_deref(), Some("covered"));
}
