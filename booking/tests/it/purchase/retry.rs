//! The same request once more: after a lost answer, a crash, or by a thumb that trembles.

use super::provider::{Fault, Provider};
use super::*;

fn keyed(fixture: &Fixture, buyer: &Buyer, key: &str, body: &Value) -> reqwest::RequestBuilder {
    fixture
        .http
        .post(format!("{}/booking/checkout", fixture.url))
        .bearer_auth(&buyer.fan.session)
        .header("Onsale-Admission", &buyer.token)
        .header("Onsale-Visitor", buyer.fan.visitor.expose())
        .header("Idempotency-Key", key)
        .json(body)
}

#[tokio::test]
async fn the_same_key_gets_the_same_bytes() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1"]);
    let first = keyed(&fixture, &buyer, "one", &wish).send().await.unwrap();
    assert_eq!(first.status(), 201);
    let kind = first.headers()["content-type"].clone();
    let first = first.bytes().await.unwrap();

    let id = serde_json::from_slice::<Value>(&first).unwrap()["booking_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    let again = keyed(&fixture, &buyer, "one", &wish).send().await.unwrap();
    assert_eq!(again.status(), 201);
    assert_eq!(again.headers()["content-type"], kind);
    assert_eq!(again.bytes().await.unwrap(), first, "even after the place has ended");

    let other = Answer::of(keyed(&fixture, &buyer, "one", &named(&sale, &["A-2"]))).await;
    assert_eq!(other.told(), (422, "idempotency-mismatch"));
    assert_eq!(count(&fixture, "SELECT count(*) FROM bookings").await, 1);
}

#[tokio::test]
async fn a_refused_request_may_be_repeated_under_its_key() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let wish = named(&sale, &["A-1"]);
    assert_eq!(Answer::of(keyed(&fixture, &two, "k", &wish)).await.told(), (409, "seats-taken"));
    cancel(&fixture, &one.fan, id).await;
    assert_eq!(Answer::of(keyed(&fixture, &two, "k", &wish)).await.status, 201);
}

#[tokio::test]
async fn twins_make_one_booking() {
    let fixture = still().await;
    let sale = fixture.on_sale(2, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1", "A-2"]);
    let twins = (0..8).map(|_| Answer::of(keyed(&fixture, &buyer, "k", &wish)));
    let answers = futures_util::future::join_all(twins).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.told(), (409, "in-flight"));
    }
    assert_eq!(live_claims(&fixture).await, 2);
    assert_eq!(fixture.intents().await.len(), 1);
}

#[tokio::test]
async fn a_retry_resumes_where_the_process_died() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1", "A-2"]);
    let told = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(told.status, 201);

    // died after the provider had answered, before we wrote that down
    for forget in [
        "UPDATE idempotency SET status = NULL, response = NULL",
        "UPDATE payment_attempts SET status = 'creating', intent_id = NULL, client_secret = NULL",
    ] {
        sqlx::query(forget).execute(&fixture.world.pool).await.unwrap();
    }
    assert_eq!(Answer::of(keyed(&fixture, &buyer, "k", &wish)).await.told(), (409, "in-flight"));
    fixture.clock.advance(seconds(11));
    let resumed = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(resumed.body, told.body);
    assert_eq!(fixture.intents().await.len(), 1, "the provider knew the attempt");
    assert_eq!(live_claims(&fixture).await, 2);
}

#[tokio::test]
async fn a_failure_the_provider_repeats_does_not_stick_to_the_booking() {
    let (fixture, provider) = Provider::before(still().await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1"]);
    provider.spoil("/v1/payment_intents", Fault::Fails);
    let refused = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(refused.told(), (503, "unavailable"));
    let resumed = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(resumed.status, 201, "{resumed:?}");
    assert_eq!(confirm(&fixture, &buyer.fan, resumed.booking_id(), Some("pm_card_visa")).await.status, 200);
}

#[tokio::test]
async fn while_the_provider_is_down_the_seats_are_kept_for_a_retry() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1"]);
    let healthy = fixture.url.clone();
    let mut fixture = super::expiry::without_provider(fixture).await;
    let refused = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(refused.told(), (503, "unavailable"));
    assert_eq!(live_claims(&fixture).await, 1);

    fixture.url = healthy;
    let resumed = Answer::of(keyed(&fixture, &buyer, "k", &wish)).await;
    assert_eq!(resumed.status, 201, "{resumed:?}");
    assert_eq!(resumed.seats(), ["A-1"]);
}
