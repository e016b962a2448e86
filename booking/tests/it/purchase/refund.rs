//! A sale undone: the seats, the money, the limit and a letter, together.

use admission::line::Newcomer;
use booking::purchase::outbox::{self, Job};
use booking::purchase::refund::{self, RefundError, Refunded};
use booking::purchase::release::Returned;
use booking::purchase::settle::settle;

use super::*;

/// What the provider gave back, in minor units.
pub(super) async fn given_back(fixture: &Fixture) -> i64 {
    let mut sum = 0;
    for intent in fixture.intents().await {
        let id = intent["id"].as_str().expect("an id");
        let url = format!("{}/v1/refunds?payment_intent={id}", fixture.sandbox_url);
        let list: Value = fixture.http.get(url).bearer_auth(SECRET_KEY).send().await.unwrap().json().await.unwrap();
        sum += list["data"].as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum::<i64>();
    }
    sum
}

#[tokio::test]
async fn a_refund_gives_back_seats_money_and_limit_once() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1", "A-2"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    assert_eq!(refund::here(&fixture.app, id).await.unwrap(), Refunded::Now);
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(count(&fixture, "SELECT sum(quantity) FROM fan_limits").await, 0);
    let seen = look(&fixture, &one.fan, id).await;
    assert_eq!((&seen.body["status"], &seen.body["reason"]), (&json!("cancelled"), &json!("refunded")));

    for _ in 0..2 {
        assert_eq!(refund::here(&fixture.app, id).await.unwrap(), Refunded::Before);
        drain_outbox(&fixture).await;
    }
    assert_eq!(given_back(&fixture).await, 2 * SEAT_PRICE);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'refund-mail'").await, 1);
    // asked once more, whoever asks: nothing is left to give back
    let job = Job::Void { intent_id: intent_id(&fixture, id).await };
    outbox::enqueue(&fixture.world.pool, &job, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(given_back(&fixture).await, 2 * SEAT_PRICE);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await, 0);
    booked(&fixture, &next, &sale, &["A-1", "A-2"]).await;
}

#[tokio::test]
async fn a_refund_before_the_capture_takes_no_money() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!(refund::here(&fixture.app, booking.booking_id()).await.unwrap(), Refunded::Now);
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 0);
}

#[tokio::test]
async fn what_was_not_sold_is_not_refunded() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert!(matches!(refund::here(&fixture.app, id).await, Err(RefundError::NotCompleted("pending"))));
    cancel(&fixture, &one.fan, id).await;
    assert!(matches!(refund::here(&fixture.app, id).await, Err(RefundError::NotCompleted("cancelled"))));
    assert!(matches!(refund::here(&fixture.app, Uuid::nil()).await, Err(RefundError::Unknown)));
}

#[tokio::test]
async fn seats_come_back_to_the_line_while_somebody_waits_in_it() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let nobody_waits = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let somebody_waits = booked(&fixture, &two, &sale, &["A-2"]).await.booking_id();
    assert_eq!(confirm(&fixture, &two.fan, somebody_waits, Some("pm_card_visa")).await.status, 200);
    cancel(&fixture, &one.fan, nobody_waits).await;
    let returned = "SELECT count(*) FROM tickets WHERE returned_at IS NOT NULL";
    assert_eq!(count(&fixture, returned).await, 0);

    let place = Place::from_bytes(encoding::random());
    let who = Newcomer { place, visitor_hash: [0; 32], receipt: None, account: None };
    fixture.app.line.join(&sale.drop, &[who]).await.unwrap();
    refund::here(&fixture.app, somebody_waits).await.unwrap();
    assert_eq!(count(&fixture, returned).await, 1);
    // whoever cannot ask assumes that somebody waits
    let unknown = Returned::of(&fixture.app.line, "no-such-drop", fixture.clock.now()).await;
    assert_eq!(format!("{unknown:?}"), format!("{:?}", Returned::to_the_line(fixture.clock.now())));
}
