//! What outlives Redis.

use admission::{
    draw::{Drawer, Relays},
    drops::{self, NewDrop, Settings},
    ids::{DropId, OrderKey},
    line::{EndReason, Joined, Line, Newcomer, PlaceState, Receipt},
    marks::Keeper,
    pace,
};
use redis::AsyncCommands as _;
use shared::testing::world;

use super::line::place;
use crate::api::event;

fn newcomer(n: u128, pass: Option<(OrderKey, u64)>) -> Newcomer {
    let receipt = pass.map(|(key, epoch)| Receipt { place: place(n), key: Some(key), epoch, generation: 0 });
    Newcomer { place: place(n), visitor_hash: [0; 32], receipt, account: None }
}

#[tokio::test]
async fn after_a_loss_of_redis_passes_bring_their_places_back_and_ended_places_stay_ended() {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").unwrap();
    let settings = Settings {
        title: "Ada live".to_owned(),
        opens_at: Some("2025-01-01T00:00:00Z".parse().unwrap()),
        ..Settings::at_rate(60)
    };
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    assert_eq!(line.look(&id, &[]).await.unwrap().0.title, "Ada live");
    let mut keeper = Keeper::new(world.pool.clone(), 60);

    let (state, joined) = line.join(&id, &[newcomer(1, None), newcomer(2, None), newcomer(3, None)]).await.unwrap();
    let keys: Vec<_> = joined
        .iter()
        .map(|joined| match joined {
            Joined::New(place) => place.key().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    line.end_place(&id, place(3), EndReason::Finished).await.unwrap();
    keeper.keep(&line, &drop).await.unwrap();

    let prefix = world.redis.prefix().to_owned();
    for name in ["control", "waiting", "called", "ended", "records", "changes", "bucket"] {
        let _: () = world.redis.clone().del(format!("{prefix}:{{evening}}:{name}")).await.unwrap();
    }
    keeper.keep(&line, &drop).await.unwrap();

    let (restored, joined) =
        line.join(&id, &[newcomer(9, None), newcomer(2, Some((keys[1], state.epoch)))]).await.unwrap();
    assert_eq!(restored.epoch, state.epoch + 1);
    assert!(restored.regathering());
    assert_eq!(restored.title, "Ada live");
    let Joined::New(PlaceState::Waiting { key, .. }) = joined[1] else { panic!("back in line: {:?}", joined[1]) };
    assert_eq!(key, keys[1], "at the old key");
    let Joined::New(PlaceState::Waiting { key: newest, .. }) = joined[0] else { panic!("a newcomer") };
    assert!(newest > keys[2], "newcomers queue behind all keys ever given");
    assert_eq!(line.release(&id, pace::level(60, 0)).await.unwrap().1.called, 0, "nobody is called while they gather");
    assert_eq!(line.ended(&id, place(3)).await.unwrap(), Some(EndReason::Finished));
    // a pass of the present epoch cannot move a place
    let (_, forged) = line.join(&id, &[newcomer(77, Some((OrderKey(5), restored.epoch)))]).await.unwrap();
    let Joined::New(forged) = forged[0] else { panic!("a new place") };
    assert!(forged.key().unwrap() > keys[2]);
}

#[tokio::test]
async fn a_lobby_lost_with_redis_is_drawn_as_it_would_have_been() {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").unwrap();
    let settings = Settings { opens_at: Some("2025-01-01T00:00:00Z".parse().unwrap()), ..Settings::at_rate(60) };
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    // a pass from the lobby of an epoch that was lost, shown after the opening
    let mut keeper = Keeper::new(world.pool.clone(), 0);
    keeper.keep(&line, &drop).await.unwrap();
    let _: () = world.redis.clone().del(format!("{}:{{evening}}:control", world.redis.prefix())).await.unwrap();
    keeper.keep(&line, &drop).await.unwrap();
    let receipt = Receipt { place: place(1), key: None, epoch: 1, generation: 0 };
    let lobby_pass = Newcomer { place: place(1), visitor_hash: [0; 32], receipt: Some(receipt), account: None };
    let (state, joined) = line.join(&id, &[newcomer(2, None), lobby_pass]).await.unwrap();
    assert_eq!(joined[1], Joined::New(PlaceState::Drawing), "not at the end of the line: {:?}", joined[1]);
    let relays = Relays::new(&admission::draw::Settings::default()).unwrap();
    Drawer::new(world.pool.clone(), relays).draw(&line, std::slice::from_ref(&drop)).await;
    let drawn = admission::draw::drawn_key(state.opens_at.unwrap(), &drop.seed, place(1));
    assert_eq!(line.look(&id, &[place(1)]).await.unwrap().1[0].key(), Some(drawn));
}

#[tokio::test]
async fn what_operators_decided_reaches_a_line_that_did_not_hear_it() {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").unwrap();
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings: Settings::at_rate(60) };
    drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    // Postgres was told, Redis was not: as when the connection to it broke in between
    sqlx::query("UPDATE drops SET state = 'paused', pause_reason = 'a minute', version = version + 1")
        .execute(&world.pool)
        .await
        .unwrap();
    let drop = drops::show(&world.pool, &id).await.unwrap();
    Keeper::new(world.pool.clone(), 60).keep(&line, &drop).await.unwrap();
    let (state, _) = line.look(&id, &[]).await.unwrap();
    assert_eq!((state.paused_at.is_some(), state.pause_reason.as_str()), (true, "a minute"));
}
