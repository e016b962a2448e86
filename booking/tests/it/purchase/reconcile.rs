//! The provider's list against our books: every difference is closed without anybody's help.

use booking::purchase::reconcile;

use super::refund::given_back;
use super::*;
use crate::fixture::ISSUER;

/// A minute later everybody who was at work has had the time.
async fn reconciled(fixture: &Fixture) {
    fixture.clock.advance(seconds(70));
    reconcile::do_once(&fixture.app).await.unwrap();
    drain_outbox(fixture).await;
}

/// An intent that somebody else on the account may have made; its id.
async fn foreign_intent(fixture: &Fixture, origin: &str) -> String {
    let form = [("amount", "1000"), ("currency", "usd"), ("capture_method", "manual"), ("metadata[origin]", origin)];
    let url = format!("{}/v1/payment_intents", fixture.sandbox_url);
    let made = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&form).send().await.unwrap();
    let intent: Value = made.json().await.unwrap();
    intent["id"].as_str().unwrap().to_owned()
}

async fn status(fixture: &Fixture, intent_id: &str) -> String {
    let all = fixture.intents().await;
    let intent = all.iter().find(|intent| intent["id"] == intent_id).expect("the provider knows it");
    intent["status"].as_str().unwrap().to_owned()
}

/// The process died after the provider had made the intent, before we wrote that down.
async fn forget_intents(fixture: &Fixture) {
    sqlx::query("UPDATE payment_attempts SET intent_id = NULL, client_secret = NULL, status = 'creating'")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
}

async fn lose_all_jobs(fixture: &Fixture) {
    sqlx::query("DELETE FROM outbox").execute(&fixture.world.pool).await.unwrap();
}

#[tokio::test]
async fn an_intent_nobody_heard_of_finds_its_booking() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (paid, open) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking = booked(&fixture, &paid, &sale, &["A-1"]).await;
    let unpaid = booked(&fixture, &open, &sale, &["A-2"]).await.booking_id();
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    forget_intents(&fixture).await;
    reconcile::do_once(&fixture.app).await.unwrap();
    assert_eq!(purchased(&fixture).await, 0, "whoever is at work has a minute");

    reconciled(&fixture).await;
    assert_eq!(purchased(&fixture).await, 1);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
    assert!(!intent_id(&fixture, unpaid).await.is_empty());
    assert_eq!(intent_status(&fixture, unpaid).await, "requires_payment_method", "it can be paid as before");
}

#[tokio::test]
async fn an_intent_of_a_booking_that_is_over_is_given_up() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    forget_intents(&fixture).await;
    assert_eq!(cancel(&fixture, &one.fan, booking.booking_id()).await.status, 200);
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    reconciled(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
    assert_eq!(purchased(&fixture).await, 0);
}

#[tokio::test]
async fn only_our_own_orphans_are_given_up_however_long_the_list_is() {
    let fixture = still_with(deaf()).await;
    let ours = foreign_intent(&fixture, ISSUER).await;
    let mut others = Vec::new();
    for _ in 0..120 {
        others.push(foreign_intent(&fixture, "https://another.test").await);
    }
    reconciled(&fixture).await;
    assert_eq!(status(&fixture, &ours).await, "canceled", "on the second page");
    assert_eq!(status(&fixture, &others[0]).await, "requires_payment_method");
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn money_for_a_booking_that_is_over_goes_back_when_the_job_was_lost() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    at_provider(&fixture, &intent_id(&fixture, booking.booking_id()).await, "capture").await;
    sqlx::query("UPDATE bookings SET status = 'cancelled', phase = 'closed', reason = 'given-up'")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    reconciled(&fixture).await;
    assert_eq!(given_back(&fixture).await, SEAT_PRICE);
    reconciled(&fixture).await;
    assert_eq!(given_back(&fixture).await, SEAT_PRICE, "once");
}

#[tokio::test]
async fn the_money_of_a_sale_is_taken_when_the_job_was_lost() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let mut bookings = Vec::new();
    for (buyer, seat) in [(&one, "A-1"), (&two, "A-2")] {
        let booking = booked(&fixture, buyer, &sale, &[seat]).await;
        authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
        booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
        bookings.push(booking.booking_id());
    }
    lose_all_jobs(&fixture).await;
    // one of them was captured, and nobody wrote that down
    at_provider(&fixture, &intent_id(&fixture, bookings[1]).await, "capture").await;
    reconciled(&fixture).await;
    for (buyer, id) in [(&one, bookings[0]), (&two, bookings[1])] {
        assert_eq!(intent_status(&fixture, id).await, "succeeded");
        assert!(look(&fixture, &buyer.fan, id).await.body["captured_at"].is_string());
    }
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 2);
}

#[tokio::test]
async fn a_sale_whose_authorisation_is_gone_is_undone() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    lose_all_jobs(&fixture).await;
    at_provider(&fixture, &intent_id(&fixture, booking.booking_id()).await, "cancel").await;
    reconciled(&fixture).await;
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(look(&fixture, &one.fan, booking.booking_id()).await.body["reason"], "capture-refused");
}

#[tokio::test]
async fn a_refund_made_at_the_provider_undoes_the_sale() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    let url = format!("{}/v1/refunds", fixture.sandbox_url);
    let intent = intent_id(&fixture, id).await;
    let asked = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&[("payment_intent", intent.as_str())]);
    assert_eq!(asked.send().await.unwrap().status(), 200);
    reconciled(&fixture).await;
    assert_eq!(look(&fixture, &one.fan, id).await.body["reason"], "refunded");
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(given_back(&fixture).await, SEAT_PRICE, "once");
}

#[tokio::test]
async fn books_that_agree_are_left_alone() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (sold, open, gone) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &sold, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &sold.fan, id, Some("pm_card_visa")).await.status, 200);
    booked(&fixture, &open, &sale, &["A-2"]).await;
    let id = booked(&fixture, &gone, &sale, &["A-3"]).await.booking_id();
    assert_eq!(cancel(&fixture, &gone.fan, id).await.status, 200);
    drain_outbox(&fixture).await;
    let jobs = count(&fixture, "SELECT count(*) FROM outbox").await;
    reconciled(&fixture).await;
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox").await, jobs);
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (1, 2));
}
