//! Many fans, one seat.

use booking::Deps;
use shared::lifecycle::Lifecycle;
use shared::private_stack::PrivateRedis;

use super::*;

async fn buyers(fixture: &Fixture, sale: &Sale, many: usize) -> Vec<Buyer> {
    let mut buyers = Vec::with_capacity(many);
    for _ in 0..many {
        buyers.push(buyer(fixture, sale).await);
    }
    buyers
}

/// All at once; how often each outcome was told.
async fn rush(fixture: &Fixture, buyers: &[Buyer], body: &Value) -> (Vec<Answer>, Vec<Answer>) {
    let asking = buyers.iter().map(|buyer| checkout(fixture, buyer, body));
    let answers = futures_util::future::join_all(asking).await;
    answers.into_iter().partition(|answer| answer.status == 201)
}

async fn exactly_one(fixture: &Fixture, sale: &Sale) {
    let buyers = buyers(fixture, sale, 50).await;
    let (won, lost) = rush(fixture, &buyers, &named(sale, &["A-1"])).await;
    assert_eq!(won.len(), 1);
    for answer in &lost {
        assert!(matches!(answer.told(), (409, "seats-taken") | (503, "unavailable")), "{answer:?}");
    }
    let taken: Vec<_> = lost.iter().filter(|answer| answer.status == 409).collect();
    assert!(!taken.is_empty());
    assert!(taken.iter().all(|answer| answer.body["seats"] == json!(["A-1"])));
    assert_eq!(live_claims(fixture).await, 1);
    assert_eq!(count(fixture, "SELECT count(*) FROM bookings").await, 1);
    assert_eq!(fixture.intents().await.len(), 1, "losers never reach the provider");
}

#[tokio::test]
async fn one_seat_has_one_buyer() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    exactly_one(&fixture, &sale).await;
}

#[tokio::test]
async fn one_seat_has_one_buyer_while_redis_is_too_slow() {
    let fixture = still_with(json!({ "hold_timeout_ms": 0 })).await;
    let sale = fixture.on_sale(1, 4).await;
    exactly_one(&fixture, &sale).await;
}

#[tokio::test]
async fn one_seat_has_one_buyer_while_redis_is_down() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let fixture = without_redis(fixture).await;
    exactly_one(&fixture, &sale).await;
}

#[tokio::test]
async fn a_small_hall_is_sold_to_the_last_seat() {
    let fixture = still().await;
    let sale = fixture.on_sale(4, 6).await;
    sold_to_the_last_seat(&fixture, &sale).await;
}

#[tokio::test]
async fn a_small_hall_is_sold_to_the_last_seat_while_redis_is_down() {
    let fixture = still().await;
    let sale = fixture.on_sale(4, 6).await;
    let fixture = without_redis(fixture).await;
    sold_to_the_last_seat(&fixture, &sale).await;
}

/// Twenty fans for twelve pairs, again and again until nobody gets one any more.
async fn sold_to_the_last_seat(fixture: &Fixture, sale: &Sale) {
    let mut waiting = buyers(fixture, sale, 20).await;
    let mut told = Vec::new();
    let pair = best(sale, 2);
    while !waiting.is_empty() {
        let asking = waiting.iter().map(|buyer| checkout(fixture, buyer, &pair));
        let answers = futures_util::future::join_all(asking).await;
        let mut again = Vec::new();
        for (buyer, answer) in waiting.into_iter().zip(answers) {
            match answer.told() {
                (503, "unavailable") => again.push(buyer),
                (201, _) => {
                    let paid = confirm(fixture, &buyer.fan, answer.booking_id(), Some("pm_card_visa")).await;
                    assert_eq!(paid.status, 200);
                    told.push(answer.seats().join(" "));
                }
                refusal => assert_eq!(refusal, (409, "sold-out")),
            }
        }
        waiting = again;
    }
    assert_eq!(told.len(), 12, "{told:?}");
    assert_eq!(purchased(fixture).await, 24);
    assert_eq!(count(fixture, "SELECT sum(quantity) FROM bookings WHERE status = 'completed'").await, 24);
}

/// The same world behind a second booking process whose Redis has died.
async fn without_redis(mut fixture: Fixture) -> Fixture {
    let mut dying = PrivateRedis::start(&fixture.data_dir.path().join("redis")).await.expect("a Redis");
    let settings = shared::redis::Settings { url: dying.url().into(), prefix: "dead".to_owned() };
    let redis = shared::redis::connect(&settings).await.expect("a connection");
    let deps = Deps {
        pool: fixture.world.pool.clone(),
        redis,
        keyring: shared::testing::keyring(),
        clock: fixture.clock.clone(),
        public_url: crate::fixture::ISSUER.to_owned(),
        site: shared::testing::site(vec![booking::assets()]),
        lifecycle: Lifecycle::new(),
        data_dir: fixture.data_dir.path().join("second"),
    };
    let (router, app) = booking::build(fixture.app.settings.clone(), deps).await.expect("booking starts");
    dying.stop().await.expect("Redis stops");
    fixture.url = shared::testing::serve(router).await;
    fixture.app = app;
    fixture
}
