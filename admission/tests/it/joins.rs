//! What a join answers is what a look right after it says, whatever else stands in the line: the script finds out
//! the usual answer by a shorter way.

use admission::{
    code::Code,
    line::{Asker, Held, Joined, Newcomer, PlaceState, Redeemed},
};

use super::line::{NEVER, OPEN_LONG_AGO, Stage, place, stage};

/// Everybody's visitor is numbered as their own place.
fn newcomer(n: u8) -> Newcomer {
    Newcomer { place: place(n.into()), visitor_hash: [n; 32], receipt: None, account: None }
}

fn asker(n: u8) -> Asker {
    Asker { own: place(n.into()), visitor_hash: [n; 32] }
}

/// Joins in one call; fails unless each was answered what a look says afterwards.
async fn join(s: &Stage, fans: std::ops::Range<u8>) -> Vec<(Held, PlaceState)> {
    let who: Vec<_> = fans.clone().map(newcomer).collect();
    let joined = s.line.join_held(&s.drop, &who).await.unwrap().1;
    let askers: Vec<_> = fans.map(asker).collect();
    let looked = s.line.look_held(&s.drop, &askers).await.unwrap().1;
    let state = |joined| match joined {
        Joined::New(state) | Joined::Known(state) => state,
        other => panic!("{other:?}"),
    };
    assert_eq!(joined.into_iter().map(|(held, joined)| (held, state(joined))).collect::<Vec<_>>(), looked);
    looked
}

fn ranks(places: &[(Held, PlaceState)]) -> Vec<u64> {
    let rank = |state: &PlaceState| match state {
        PlaceState::Waiting { rank, .. } => *rank,
        other => panic!("{other:?}"),
    };
    places.iter().map(|(_, state)| rank(state)).collect()
}

/// Moves the place of visitor `from` to visitor `to`, who has none.
async fn moved(s: &Stage, from: u8, to: u8) {
    let held = Held { place: place(from.into()), generation: 0, mail: false };
    let code = Code::generate();
    s.line.issue_code(&s.drop, &held, &code, None).await.unwrap();
    let redeemed = s.line.redeem_code(&s.drop, &code, &asker(to), None).await.unwrap().1;
    assert!(matches!(redeemed, Redeemed::Moved(..)), "{redeemed:?}");
}

#[tokio::test]
async fn in_an_open_line_a_join_is_answered_as_a_look() {
    let s = stage(6_000, &[]).await;
    assert_eq!(ranks(&join(&s, 1..4).await), [0, 1, 2]);
    assert_eq!(ranks(&join(&s, 2..6).await), [1, 2, 3, 4], "known ones and new ones");
    s.until_called(1).await;
    assert!(matches!(join(&s, 1..2).await[0].1, PlaceState::Called { .. }));
}

#[tokio::test]
async fn behind_a_lobby_that_is_not_drawn_a_join_is_answered_as_a_look() {
    let s = stage(6_000, &[("opens_at", NEVER)]).await;
    assert_eq!(join(&s, 1..4).await[2].1, PlaceState::Lobby);
    s.order(admission::line::Phase::Going, &[("opens_at", OPEN_LONG_AGO)]).await;
    assert_eq!(ranks(&join(&s, 4..6).await), [3, 4], "the lobby stands before them");
    assert_eq!(join(&s, 1..2).await[0].1, PlaceState::Drawing);
}

#[tokio::test]
async fn behind_the_list_of_the_draw_a_join_is_answered_as_a_look() {
    let s = stage(6_000, &[("opens_at", NEVER), ("lobby_closes_at", OPEN_LONG_AGO)]).await;
    let late = join(&s, 1..3).await;
    assert!(late.iter().all(|(_, state)| matches!(state, PlaceState::Late { .. })), "{late:?}");
}

#[tokio::test]
async fn with_places_on_the_move_a_join_is_answered_as_a_look() {
    let s = stage(6_000, &[]).await;
    join(&s, 1..2).await;
    moved(&s, 1, 2).await;
    let all = join(&s, 1..5).await;
    assert_eq!(all[0].1, PlaceState::Moved);
    assert_eq!((all[1].0.place, all[1].0.generation), (place(1), 1), "a moved place is joined at its own");
    assert_eq!(ranks(&all[1..]), [0, 1, 2]);
}

#[tokio::test]
async fn with_mails_asked_for_a_join_is_answered_as_a_look() {
    let s = stage(6_000, &[]).await;
    let held = join(&s, 1..2).await[0].0;
    s.line.ask_mail(&s.drop, &held, Some(b"sealed")).await.unwrap();
    let all = join(&s, 1..4).await;
    assert_eq!(all.iter().map(|(held, _)| held.mail).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(ranks(&all), [0, 1, 2]);
}
