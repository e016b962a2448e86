//! The fan gives up: the provider cancels first, then the seats are free.

use booking::purchase::expiry;
use booking::purchase::settle::{Settled, settle};

use super::provider::{Fault, Provider};
use super::*;

#[tokio::test]
async fn seats_are_free_only_after_the_provider_has_cancelled() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    let id = booking.booking_id();
    provider.spoil("/cancel", Fault::Fails);
    let answer = cancel(&fixture, &one.fan, id).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!((&answer.body["status"], &answer.body["reason"]), (&json!("pending"), &json!("given-up")));
    assert_eq!(live_claims(&fixture).await, 1, "it could be paid yet");
    assert_eq!(checkout(&fixture, &next, &named(&sale, &["A-1"])).await.told(), (409, "seats-taken"));

    // … and is: that buys nothing any more
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    assert!(matches!(settle(&fixture.app, id).await.unwrap(), Settled::Pending { .. }));
    assert_eq!(purchased(&fixture).await, 0);
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.told(), (410, "booking-expired"));

    expiry::do_once(&fixture.app).await.unwrap();
    drain_outbox(&fixture).await;
    expiry::do_once(&fixture.app).await.unwrap();
    let seen = look(&fixture, &one.fan, id).await;
    assert_eq!((&seen.body["status"], &seen.body["reason"]), (&json!("cancelled"), &json!("given-up")));
    assert_eq!((live_claims(&fixture).await, intent_status(&fixture, id).await.as_str()), (0, "canceled"));
    booked(&fixture, &next, &sale, &["A-1"]).await;
}

#[tokio::test]
async fn an_authorisation_that_was_given_up_is_let_go() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    assert_eq!(cancel(&fixture, &one.fan, booking.booking_id()).await.status, 200);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled", "at once");
    assert_eq!((live_claims(&fixture).await, purchased(&fixture).await), (0, 0));
    assert!(matches!(settle(&fixture.app, booking.booking_id()).await.unwrap(), Settled::Over { .. }));
}

#[tokio::test]
async fn while_the_provider_is_down_a_booking_that_was_given_up_keeps_its_seats_to_the_cap() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    let (url, app) = (fixture.url.clone(), fixture.app.clone());
    let mut fixture = super::expiry::without_provider(fixture).await;
    assert_eq!(cancel(&fixture, &one.fan, booking.booking_id()).await.status, 202);
    fixture.clock.advance(seconds(600 + 890));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 1);
    fixture.clock.advance(seconds(20));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);

    // paid in another tab: who gave up does not get the seats back
    (fixture.url, fixture.app) = (url, app);
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    drain_outbox(&fixture).await;
    assert_eq!(purchased(&fixture).await, 0);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
}

#[tokio::test]
async fn a_fan_at_the_bank_may_give_up() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_threeDSecure2Required")).await.status, 202);
    assert_eq!(cancel(&fixture, &one.fan, id).await.status, 200);
    assert_eq!((live_claims(&fixture).await, intent_status(&fixture, id).await.as_str()), (0, "canceled"));
}
