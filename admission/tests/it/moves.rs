//! Moved places in the line itself: what a lower generation may still do, which is nothing.

use admission::{
    code::Code,
    line::{Asker, Held, Issued, PlaceState, Redeemed},
};

use super::line::{Stage, place, stage};

fn asker(n: u128, visitor: u8) -> Asker {
    Asker { own: place(n), visitor_hash: [visitor; 32] }
}

fn held(n: u128, generation: u32) -> Held {
    Held { place: place(n), generation, mail: false }
}

/// Moves place 1 to visitor 2.
async fn moved(s: &Stage) -> Held {
    let code = Code::generate();
    let issued = s.line.issue_code(&s.drop, &held(1, 0), &code, None).await.unwrap().1;
    assert!(matches!(issued, Issued::Until(_)), "{issued:?}");
    match s.line.redeem_code(&s.drop, &code, &asker(2, 2), None).await.unwrap().1 {
        Redeemed::Moved(held, _) => held,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_claim_or_a_leave_of_a_lower_generation_changes_nothing() {
    let s = stage(6_000, &[]).await;
    s.join(1).await;
    s.until_called(1).await;
    let now = moved(&s).await;
    assert_eq!((now.place, now.generation), (place(1), 1));

    // as from a request that looked before the move, and comes after it
    let (_, told, state) = s.line.claim_held(&s.drop, &held(1, 0), &asker(1, 1)).await.unwrap();
    assert_eq!((state, told.generation), (PlaceState::Moved, 0), "and is not told the generation");
    s.line.leave(&s.drop, &held(1, 0)).await.unwrap();
    assert!(matches!(s.look(1).await, PlaceState::Called { .. }), "neither claimed nor ended");

    let (_, mine) = s.line.look_held(&s.drop, &[asker(1, 1), asker(2, 2), asker(2, 3)]).await.unwrap();
    assert!(matches!(mine[1].1, PlaceState::Called { .. }), "{mine:?}");
    assert_eq!((mine[0].1, mine[2].1), (PlaceState::Moved, PlaceState::Moved), "{mine:?}");
    let (_, _, state) = s.line.claim_held(&s.drop, &now, &asker(2, 2)).await.unwrap();
    assert!(matches!(state, PlaceState::Claiming { .. } | PlaceState::Admitted { .. }), "{state:?}");
}

#[tokio::test]
async fn a_code_issued_before_a_move_is_void_after_it() {
    let s = stage(6_000, &[]).await;
    s.join(1).await;
    let now = moved(&s).await;
    let code = Code::generate();
    let stale = s.line.issue_code(&s.drop, &held(1, 0), &code, None).await.unwrap().1;
    assert_eq!(stale, Issued::Gone, "a lower generation gets no code");
    assert!(matches!(s.line.issue_code(&s.drop, &now, &code, None).await.unwrap().1, Issued::Until(_)));
    let redeemed = s.line.redeem_code(&s.drop, &code, &asker(3, 3), None).await.unwrap().1;
    let Redeemed::Moved(third, PlaceState::Waiting { .. }) = redeemed else { panic!("{redeemed:?}") };
    assert_eq!((third.place, third.generation), (place(1), 2));
}
