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
    assert!(matches!(s.look(2).await, PlaceState::Admitted { .. }), "sessions stand still with the rest");
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
    assert_eq!((told.sold_out, told.covered, told.paused_at, told.word()), (true, false, None, "sold_out"));
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
    // booking reports nothing of an ended drop
    s.line.watch_booking(&s.drop, 0, "silent").await.unwrap();
    assert_eq!(paused(&s).await, None);
    while s.line.ended(&s.drop, place(1)).await.unwrap() != Some(EndReason::SessionOver) {
        s.line.release(&s.drop, pace::level(RATE.into(), 0)).await.unwrap();
    }
}
