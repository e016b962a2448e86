//! The provider fails before and after it has done what it was asked: the outcome is looked up, never assumed.

use booking::purchase::{expiry, reconcile};

use super::provider::{Fault, Provider};
use super::refund::given_back;
use super::*;

/// A call is tried three times under one key.
const TRIES: usize = 3;

/// How often the provider took money, and how much.
async fn taken(fixture: &Fixture) -> (usize, i64) {
    let intents = fixture.intents().await;
    let amounts: Vec<i64> = intents.iter().filter_map(|intent| intent["amount_received"].as_i64()).collect();
    (amounts.iter().filter(|amount| **amount > 0).count(), amounts.iter().sum())
}

#[tokio::test]
async fn an_authorisation_whose_answer_is_lost_is_found() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let failing: [fn(&Provider); 2] = [
        |provider| provider.spoil("/confirm", Fault::FailsAfter),
        |provider| (0..TRIES).for_each(|_| provider.spoil("/confirm", Fault::BreaksAfter)),
    ];
    for (seat, fail) in ["A-1", "A-2"].into_iter().zip(failing) {
        let buyer = buyer(&fixture, &sale).await;
        let id = booked(&fixture, &buyer, &sale, &[seat]).await.booking_id();
        fail(&provider);
        assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
        provider.heal();
    }
    assert_eq!(taken(&fixture).await, (2, 2 * SEAT_PRICE));
}

#[tokio::test]
async fn an_authorisation_that_failed_may_be_tried_again() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    provider.spoil("/confirm", Fault::Fails);
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.told(), (503, "unavailable"));
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    assert_eq!(taken(&fixture).await, (1, SEAT_PRICE));
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_is_one_capture() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    provider.spoil("/capture", Fault::FailsAfter);
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    assert!(look(&fixture, &buyer.fan, id).await.body["captured_at"].is_null(), "nobody knows");
    fixture.clock.advance(seconds(2));
    drain_outbox(&fixture).await;
    assert!(look(&fixture, &buyer.fan, id).await.body["captured_at"].is_string());
    assert_eq!(taken(&fixture).await, (1, SEAT_PRICE));
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 1);
}

#[tokio::test]
async fn an_intent_whose_answer_is_lost_is_not_paid_twice() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    // too many requests pass; a connection that breaks is tried again under the same key: one intent
    provider.spoil("/payment_intents", Fault::TooMany);
    provider.spoil("/payment_intents", Fault::BreaksAfter);
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(fixture.intents().await.len(), 1);
    cancel(&fixture, &buyer.fan, id).await;

    // a 500 is replayed under its key: the attempt gets another, and what it made is given up
    let wish = named(&sale, &["A-2"]);
    provider.spoil("/payment_intents", Fault::FailsAfter);
    let keyed = || {
        let request = fixture.post(&buyer.fan, "/booking/checkout", Some(&buyer.token), &wish);
        let mut request = request.build().expect("a request");
        request.headers_mut().insert("idempotency-key", "one".parse().expect("a header"));
        fixture.http.execute(request)
    };
    assert_eq!(keyed().await.unwrap().status(), 503);
    let booking = keyed().await.unwrap();
    assert_eq!(booking.status(), 201);
    let booking: Value = booking.json().await.unwrap();
    let id: Uuid = booking["booking_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    fixture.clock.advance(seconds(70));
    reconcile::do_once(&fixture.app).await.unwrap();
    drain_outbox(&fixture).await;
    let mut statuses: Vec<Value> = fixture.intents().await.iter().map(|intent| intent["status"].clone()).collect();
    statuses.sort_by_key(Value::to_string);
    assert_eq!(statuses, ["canceled", "canceled", "succeeded"]);
    assert_eq!(taken(&fixture).await, (1, SEAT_PRICE));
}

#[tokio::test]
async fn a_cancellation_whose_answer_is_lost_is_found_and_the_seats_are_free() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    for (seat, lose) in [("A-1", 1), ("A-2", TRIES)] {
        let buyer = buyer(&fixture, &sale).await;
        let id = booked(&fixture, &buyer, &sale, &[seat]).await.booking_id();
        fixture.clock.advance(seconds(601));
        let fault = || if lose == 1 { Fault::FailsAfter } else { Fault::BreaksAfter };
        (0..lose).for_each(|_| provider.spoil("/cancel", fault()));
        expiry::do_once(&fixture.app).await.unwrap();
        expiry::do_once(&fixture.app).await.unwrap();
        assert_eq!((live_claims(&fixture).await, intent_status(&fixture, id).await.as_str()), (0, "canceled"));
    }
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_one_refund() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    provider.spoil("/refunds", Fault::FailsAfter);
    booking::purchase::refund::here(&fixture.app, id).await.unwrap();
    drain_outbox(&fixture).await;
    fixture.clock.advance(seconds(2));
    drain_outbox(&fixture).await;
    assert_eq!(given_back(&fixture).await, SEAT_PRICE);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await, 0);
}
