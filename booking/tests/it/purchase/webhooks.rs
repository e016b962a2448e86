//! Webhooks come ten times at once, in any order, much too late, or never: one effect.

use booking::purchase::{expiry, poller};

use super::money::webhook;
use super::*;

const CAPTURABLE: &str = "payment_intent.amount_capturable_updated";

async fn jobs(fixture: &Fixture, kind: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM outbox WHERE kind = $1")
        .bind(kind)
        .fetch_one(&fixture.world.pool)
        .await
        .expect("a count")
}

#[tokio::test]
async fn ten_at_once_have_one_effect() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let intent = intent_id(&fixture, booking.booking_id()).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let delivered = (0..10).map(|_| webhook(&fixture, "evt_1", CAPTURABLE, &intent));
    assert_eq!(futures_util::future::join_all(delivered).await, [200; 10]);
    assert_eq!(purchased(&fixture).await, 1);
    assert_eq!((jobs(&fixture, "capture").await, jobs(&fixture, "void").await), (1, 0));
    assert_eq!(jobs(&fixture, "end-place").await, 1);
    assert_eq!(count(&fixture, "SELECT count(*) FROM webhook_events").await, 1);
    drain_outbox(&fixture).await;
    assert_eq!(jobs(&fixture, "ticket-mail").await, 1);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn an_event_heard_before_is_not_asked_about_again() {
    let (fixture, provider) = super::provider::Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let intent = intent_id(&fixture, booking.booking_id()).await;
    for _ in 0..3 {
        assert_eq!(webhook(&fixture, "evt_1", CAPTURABLE, &intent).await, 200);
    }
    assert_eq!(provider.times_asked(&intent), 1, "the provider allows some 25 requests a second");
}

#[tokio::test]
async fn the_order_does_not_matter() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let intent = intent_id(&fixture, booking.booking_id()).await;
    for (event, kind) in [("evt_3", "payment_intent.canceled"), ("evt_2", "payment_intent.succeeded")] {
        assert_eq!(webhook(&fixture, event, kind, &intent).await, 200, "its payload says nothing");
    }
    assert_eq!(look(&fixture, &buyer.fan, booking.booking_id()).await.body["status"], "pending");
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    assert_eq!(webhook(&fixture, "evt_4", "payment_intent.canceled", &intent).await, 200);
    assert_eq!(purchased(&fixture).await, 1, "what the provider says counts, not what the event is called");
    drain_outbox(&fixture).await;
    assert_eq!(webhook(&fixture, "evt_1", CAPTURABLE, &intent).await, 200);
    drain_outbox(&fixture).await;
    assert_eq!((jobs(&fixture, "capture").await, jobs(&fixture, "void").await), (1, 0));
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn one_that_comes_after_expiry_finds_what_was_decided() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (paid, unpaid) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let sold = booked(&fixture, &paid, &sale, &["A-1"]).await;
    let gone = booked(&fixture, &unpaid, &sale, &["A-2"]).await.booking_id();
    authorise_in_browser(&fixture, &sold, "pm_card_visa").await;
    fixture.clock.advance(seconds(601));
    expiry::do_once(&fixture.app).await.unwrap();
    drain_outbox(&fixture).await;
    for id in [sold.booking_id(), gone] {
        let intent = intent_id(&fixture, id).await;
        assert_eq!(webhook(&fixture, &format!("evt_{id}"), CAPTURABLE, &intent).await, 200);
    }
    drain_outbox(&fixture).await;
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (1, 1));
    assert_eq!(intent_status(&fixture, sold.booking_id()).await, "succeeded");
    assert_eq!(intent_status(&fixture, gone).await, "canceled");
}

#[tokio::test]
async fn one_that_never_comes_is_not_missed() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    fixture.clock.advance(seconds(30));
    poller::do_once(&fixture.app).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn the_outbox_is_woken_and_does_not_wait_for_its_next_look() {
    let mut settings = deaf();
    settings["outbox_poll_ms"] = json!(3_600_000);
    settings["payment_poll_ms"] = json!(3_600_000);
    let fixture = Fixture::with(settings).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let intent = intent_id(&fixture, booking.booking_id()).await;
    assert_eq!(webhook(&fixture, "evt_1", CAPTURABLE, &intent).await, 200);
    let deadline = tokio::time::Instant::now() + seconds(20);
    while count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await > 0
        || jobs(&fixture, "ticket-mail").await == 0
    {
        assert!(tokio::time::Instant::now() < deadline, "capture, place and mail");
        tokio::task::yield_now().await;
    }
}
