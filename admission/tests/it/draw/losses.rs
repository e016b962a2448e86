//! Draws that are broken off anywhere, by many at once, or forgotten by Redis: one order all the same.

use admission::{
    draw::{Settings, Stage, drawn_key, order},
    line::{Change, EndReason, Joined, Newcomer, PlaceState, Receipt},
    marks::Keeper,
};
use redis::AsyncCommands as _;

use super::{DrawSource, Hall, beacon, hall, newcomer, place, texts};

const FANS: u64 = 700;

impl Hall {
    async fn lose_redis(&self) {
        self.lose_redis_for(0).await;
    }

    /// With so many seconds for the fans to come back.
    async fn lose_redis_for(&self, regather_s: u64) {
        let mut redis = self.world.redis.clone();
        let keys: Vec<String> = redis.keys(format!("{}:*", self.world.redis.prefix())).await.unwrap();
        let _: () = redis.del(keys).await.unwrap();
        Keeper::new(self.world.pool.clone(), regather_s).keep(&self.line, &self.drop).await.unwrap();
    }

    /// Fans of the lobby come back with the passes they had.
    async fn come_back(&self, numbers: std::ops::Range<u64>) -> Vec<Joined> {
        let receipt = |place| Some(Receipt { place, key: None, epoch: 1, generation: 0 });
        let who: Vec<_> = numbers.map(|n| Newcomer { receipt: receipt(place(n)), ..newcomer(n) }).collect();
        self.line.join(&self.drop.id, &who).await.unwrap().1
    }

    async fn stored(&self) -> (Vec<u8>, Vec<u8>) {
        sqlx::query_as("SELECT entrants, root FROM draws").fetch_one(&self.world.pool).await.unwrap()
    }
}

#[tokio::test]
async fn whichever_step_a_process_dies_after_the_next_goes_on_to_the_same_order() {
    let mut hall = hall(DrawSource::Beacon).await;
    let relay = beacon::good_relay().await;
    let settings = beacon::settings(&[&relay], -63);
    hall.join(0..FANS).await;
    hall.shown_for_the_round(&settings, 0).await;
    let list = hall.stored().await;
    // who leaves after the list was frozen stays away, and the list stays as it was
    hall.line.end_place(&hall.drop.id, place(5), EndReason::Left).await.unwrap();

    let mut steps = 0;
    while hall.drawer(&settings).step(&hall.line, &hall.drop).await.unwrap() {
        steps += 1;
        let seed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT seed FROM draws").fetch_one(&hall.world.pool).await.unwrap();
        assert!(seed.is_some() || hall.line().await.is_empty(), "nobody is moved by a seed that is not stored");
        if hall.proof().await.state == Stage::Drawing && hall.line().await.is_empty() {
            // dies having moved some: those at the front of the lobby, by their keys
            let seed: [u8; 32] = seed.unwrap().try_into().unwrap();
            let opens_at = hall.proof().await.opens_at.unwrap().0;
            let some = hall.line.lobby(&hall.drop.id, 100).await.unwrap();
            let drawn: Vec<_> = some.into_iter().map(|place| (place, drawn_key(opens_at, &seed, place))).collect();
            hall.line.draw(&hall.drop.id, &drawn).await.unwrap();
            assert_eq!(hall.look(6).await, PlaceState::Drawing, "nobody hears a rank before all are drawn");
        }
    }
    assert!(steps >= 3, "seed, moves, end: {steps}");
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert_eq!((proof.state, hall.stored().await == list), (Stage::Drawn, true));
    let mut expected = texts(&verdict.order.unwrap());
    assert_eq!(expected.len() as u64, FANS);
    expected.retain(|(text, _)| *text != place(5).to_string());
    assert_eq!(hall.line().await, expected);
}

#[tokio::test]
async fn many_processes_at_once_freeze_one_list_and_draw_one_order() {
    let mut hall = hall(DrawSource::Commit).await;
    let settings = Settings::default();
    hall.join(0..FANS).await;
    hall.times(None, 0).await;
    let mut drawers: Vec<_> = (0..6).map(|_| hall.drawer(&settings)).collect();
    let drops = [hall.drop.clone()];
    let draws = drawers.iter_mut().map(|drawer| drawer.draw(&hall.line, &drops));
    for failed in futures_util::future::join_all(draws).await {
        assert!(failed.is_empty(), "{failed:?}");
    }
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert_eq!((proof.state, proof.entrants.unwrap().count), (Stage::Drawn, FANS));
    assert_eq!(hall.line().await, texts(&verdict.order.unwrap()));
}

#[tokio::test]
async fn a_redis_lost_between_list_and_draw_gets_list_and_order_back() {
    let mut hall = hall(DrawSource::Commit).await;
    let settings = Settings::default();
    hall.join(0..FANS).await;
    hall.times(None, 0).await;
    let mut drawer = hall.drawer(&settings);
    drawer.step(&hall.line, &hall.drop).await.unwrap();
    drawer.step(&hall.line, &hall.drop).await.unwrap();
    assert_eq!(hall.proof().await.state, Stage::Closed);
    let list = hall.stored().await;

    sqlx::query("UPDATE drops SET opens_at = now() - interval '1 second', version = 5000")
        .execute(&hall.world.pool)
        .await
        .unwrap();
    hall.drop = admission::drops::show(&hall.world.pool, &hall.drop.id).await.unwrap();
    hall.lose_redis().await;
    assert!(hall.come_back(0..FANS - 1).await.iter().all(|joined| *joined == Joined::New(PlaceState::Drawing)));
    assert!(drawer.draw(&hall.line, std::slice::from_ref(&hall.drop)).await.is_empty());
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert_eq!((proof.state, hall.stored().await == list), (Stage::Drawn, true));
    let found = verdict.order.unwrap();
    assert_eq!(hall.line().await.len() as u64, FANS - 1);

    // one more comes back, and after another loss of Redis all of them: the same keys for ever
    hall.come_back(FANS - 1..FANS).await;
    let last = hall.last_change().await;
    hall.draw(&settings).await;
    assert_eq!(hall.line().await, texts(&found));
    let told = hall.changes_since(&last).await;
    assert!(told.contains(&Change::Place(place(FANS - 1).to_string())), "{told:?}");
    assert!(!told.contains(&Change::Gap), "nobody else need look: {told:?}");
    hall.lose_redis().await;
    hall.come_back(0..FANS).await;
    hall.draw(&settings).await;
    assert_eq!(hall.line().await, texts(&found));
    assert_eq!(hall.proof().await.state, Stage::Drawn);
}

#[tokio::test]
async fn a_place_of_the_lobby_that_the_list_lacks_gets_its_key_by_the_same_rule() {
    let mut hall = hall(DrawSource::Commit).await;
    hall.join(0..10).await;
    hall.lose_redis().await;
    // one of them is not back when the list closes
    hall.come_back(0..9).await;
    let (_, opens_at) = hall.times(None, 0).await;
    hall.draw(&Settings::default()).await;
    assert_eq!(hall.proof().await.entrants.unwrap().count, 9);
    assert_eq!(hall.come_back(9..10).await, [Joined::New(PlaceState::Drawing)]);
    hall.draw(&Settings::default()).await;
    let all: Vec<_> = (0..10).map(place).collect();
    assert_eq!(hall.line().await, texts(&order(&all, |place| drawn_key(opens_at, &hall.drop.seed, place))));
}

#[tokio::test]
async fn an_older_view_of_a_draw_never_replaces_a_newer_one() {
    let hall = hall(DrawSource::Commit).await;
    let shown = async || hall.line.watch(&hall.drop.id, None, true).await.unwrap().1.face.draw;
    hall.line.show_draw(&hall.drop.id, "newer", 7, false).await.unwrap();
    hall.line.show_draw(&hall.drop.id, "older", 6, true).await.unwrap();
    assert_eq!(shown().await, "newer");
    hall.line.show_draw(&hall.drop.id, "as far", 7, false).await.unwrap();
    assert_eq!(shown().await, "as far");
}

#[tokio::test]
async fn a_list_waits_until_the_fans_had_time_to_come_back() {
    let mut hall = hall(DrawSource::Commit).await;
    hall.join(0..10).await;
    hall.lose_redis_for(60).await;
    hall.come_back(0..4).await;
    hall.times(None, 0).await;
    let settings = Settings::default();
    hall.draw(&settings).await;
    assert_eq!(hall.proof().await.state, Stage::Announced, "six are still on their way");
    hall.come_back(4..10).await;
    let control = format!("{}:{{evening}}:control", hall.world.redis.prefix());
    let _: () = hall.world.redis.clone().hset(control, "regather_until", 0).await.unwrap();
    hall.draw(&settings).await;
    let proof = hall.proof().await;
    assert_eq!((proof.state, proof.entrants.unwrap().count), (Stage::Drawn, 10));
}
