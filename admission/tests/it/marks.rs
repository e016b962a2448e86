//! What outlives Redis.

use admission::{
    drops::{self, NewDrop, Settings},
    ids::{DropId, OrderKey},
    line::{EndReason, Joined, Line, Newcomer, PlaceState},
    marks::Keeper,
    pace,
};
use jiff::Timestamp;
use redis::AsyncCommands as _;
use shared::testing::world;

use super::line::place;
use crate::api::event;

fn newcomer(n: u128, pass: Option<(OrderKey, u64)>) -> Newcomer {
    Newcomer { place: place(n), pass, account: None }
}

#[tokio::test]
async fn after_a_loss_of_redis_passes_bring_their_places_back_and_ended_places_stay_ended() {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").unwrap();
    let settings = Settings {
        opens_at: Some(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1)),
        ..Settings::at_rate(60)
    };
    let new = NewDrop { id: id.clone(), events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    let mut keeper = Keeper::new(world.pool.clone(), 60);
    let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_800_000_000);

    let (state, joined) = line.join(&id, &[newcomer(1, None), newcomer(2, None), newcomer(3, None)]).await.unwrap();
    let keys: Vec<_> = joined
        .iter()
        .map(|joined| match joined {
            Joined::New(place) => place.key().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    line.end_place(&id, place(3), EndReason::Finished).await.unwrap();
    keeper.keep(&line, &drop, now).await.unwrap();

    let prefix = world.redis.prefix().to_owned();
    for name in ["control", "waiting", "called", "ended", "records", "changes", "bucket"] {
        let _: () = world.redis.clone().del(format!("{prefix}:{{evening}}:{name}")).await.unwrap();
    }
    keeper.keep(&line, &drop, now).await.unwrap();

    let (restored, joined) =
        line.join(&id, &[newcomer(9, None), newcomer(2, Some((keys[1], state.epoch)))]).await.unwrap();
    assert_eq!(restored.epoch, state.epoch + 1);
    assert!(restored.regathering());
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
