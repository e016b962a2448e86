//! The release loop: the lobby is drawn by the seed, whoever draws and however often.

use admission::{
    draw::{self, Drawer, Relays, drawn_key},
    drops::{self, NewDrop, Settings},
    ids::DropId,
    line::{Line, Newcomer, PlaceState},
};
use jiff::Timestamp;
use shared::testing::world;

use super::line::place;
use crate::api::event;

#[tokio::test]
async fn a_lobby_is_drawn_by_its_seed_and_two_processes_agree() {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").unwrap();
    let far_away: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let settings = Settings { opens_at: Some(far_away), ..Settings::at_rate(60) };
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();

    let who: Vec<_> =
        (0..2_500).map(|n| Newcomer { place: place(n), visitor_hash: [0; 32], receipt: None, account: None }).collect();
    for some in who.chunks(250) {
        line.join(&id, some).await.unwrap();
    }
    let now: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    drops::open(&world.pool, &line, &id, now, "cli").await.unwrap();
    let drops = [drop.clone()];
    let drawer = || Drawer::new(world.pool.clone(), Relays::new(&draw::Settings::default()).unwrap());
    let (mut one, mut two) = (drawer(), drawer());
    let (a, b) = tokio::join!(one.draw(&line, &drops), two.draw(&line, &drops));
    assert!(a.is_empty() && b.is_empty(), "{a:?} {b:?}");
    let (state, looked) = line.look(&id, &[place(3), place(2_000)]).await.unwrap();
    for (n, seen) in [(3, looked[0]), (2_000, looked[1])] {
        assert_eq!(seen.key(), Some(drawn_key(state.opens_at.unwrap(), &drop.seed, place(n))), "{seen:?}");
    }
    let mut by_key: Vec<_> =
        (0..2_500).map(|n| (drawn_key(state.opens_at.unwrap(), &drop.seed, place(n)), n)).collect();
    by_key.sort();
    let first = by_key[0].1;
    let (_, looked) = line.look(&id, &[place(first)]).await.unwrap();
    assert!(
        matches!(looked[0], PlaceState::Called { .. } | PlaceState::Waiting { rank: 0, .. }),
        "the lowest drawn key stands first: {:?}",
        looked[0]
    );
}
