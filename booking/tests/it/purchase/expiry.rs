//! Time is up: what happens to the seats, and to the money.

use booking::Deps;
use booking::purchase::expiry;
use shared::lifecycle::Lifecycle;

use super::provider::{Fault, Provider};
use super::*;

async fn state(fixture: &Fixture, buyer: &Buyer, id: Uuid) -> String {
    look(fixture, &buyer.fan, id).await.body["status"].as_str().expect("a status").to_owned()
}

#[tokio::test]
async fn an_unpaid_booking_frees_its_seats() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (late, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &late, &sale, &["A-1", "A-2"]).await.booking_id();

    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(state(&fixture, &late, id).await, "pending");
    fixture.clock.advance(seconds(601));
    let too_late = confirm(&fixture, &late.fan, id, Some("pm_card_visa")).await;
    assert_eq!(too_late.told(), (410, "booking-expired"), "no new attempt, swept or not");
    expiry::do_once(&fixture.app).await.unwrap();

    let seen = look(&fixture, &late.fan, id).await;
    assert_eq!((&seen.body["status"], &seen.body["reason"]), (&json!("cancelled"), &json!("expired")));
    assert_eq!(live_claims(&fixture).await, 0);
    assert_eq!(count(&fixture, "SELECT sum(quantity) FROM fan_limits").await, 0);
    assert_eq!(intent_status(&fixture, id).await, "canceled");
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, id).await, "canceled");
    let told = confirm(&fixture, &late.fan, id, None).await;
    assert_eq!(told.told(), (410, "booking-expired"));
    booked(&fixture, &next, &sale, &["A-1", "A-2"]).await;
}

#[tokio::test]
async fn a_payment_that_was_authorised_in_time_wins() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    fixture.clock.advance(seconds(700));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(state(&fixture, &buyer, booking.booking_id()).await, "completed");
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn the_hold_waits_for_the_bank_but_not_for_ever() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (patient, unlucky) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let mut ids = Vec::new();
    for (buyer, seat) in [(&patient, "A-1"), (&unlucky, "A-2")] {
        let id = booked(&fixture, buyer, &sale, &[seat]).await.booking_id();
        let asked = confirm(&fixture, &buyer.fan, id, Some("pm_card_threeDSecure2Required")).await;
        assert_eq!(asked.status, 202);
        ids.push(id);
    }
    fixture.clock.advance(seconds(601 + 800));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 2, "the bank is still asking");

    fixture.challenge(&intent_id(&fixture, ids[0]).await, true).await;
    assert_eq!(confirm(&fixture, &patient.fan, ids[0], None).await.status, 200);
    fixture.clock.advance(seconds(200));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(state(&fixture, &unlucky, ids[1]).await, "cancelled");
    assert_eq!(intent_status(&fixture, ids[1]).await, "canceled");
    assert_eq!((live_claims(&fixture).await, purchased(&fixture).await), (1, 1));
}

#[tokio::test]
async fn who_authorised_in_time_is_told_so_after_the_hold() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (paid, asked) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking = booked(&fixture, &paid, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let in_bank = booked(&fixture, &asked, &sale, &["A-2"]).await.booking_id();
    let answer = confirm(&fixture, &asked.fan, in_bank, Some("pm_card_threeDSecure2Required")).await;
    assert_eq!(answer.status, 202);

    fixture.clock.advance(seconds(601));
    let answer = confirm(&fixture, &paid.fan, booking.booking_id(), Some("pm_card_visa")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = confirm(&fixture, &asked.fan, in_bank, Some("pm_card_visa")).await;
    assert_eq!(answer.status, 202, "it may win yet: {answer:?}");
}

#[tokio::test]
async fn a_provider_that_failed_once_is_asked_to_cancel_again() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &late, &sale, &["A-1"]).await.booking_id();
    fixture.clock.advance(seconds(601));
    provider.spoil("/cancel", Fault::Fails);
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 1, "nobody knows whether it was cancelled");
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
    assert_eq!(intent_status(&fixture, id).await, "canceled");
}

#[tokio::test]
async fn past_the_cap_a_provider_that_hangs_holds_nothing_up() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    for seat in ["A-1", "A-2"] {
        let late = buyer(&fixture, &sale).await;
        booked(&fixture, &late, &sale, &[seat]).await;
    }
    provider.spoil("", Fault::Hangs);
    fixture.clock.advance(seconds(601 + 900));
    let round = tokio::time::timeout(seconds(8), expiry::do_once(&fixture.app)).await;
    round.expect("a short last word").unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
    provider.heal();
    drain_outbox(&fixture).await;
    let open = fixture.intents().await.iter().filter(|intent| intent["status"] != "canceled").count();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn while_the_provider_is_down_seats_are_freed_at_the_cap_and_late_money_goes_back_if_they_are_gone() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    let id = booking.booking_id();
    let (healthy_url, healthy_app) = (fixture.url.clone(), fixture.app.clone());

    let mut fixture = without_provider(fixture).await;
    fixture.clock.advance(seconds(700));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 1, "nobody knows whether it was paid");
    fixture.clock.advance(seconds(900));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);

    // somebody else was faster; the provider is back, and the fan had authorised
    (fixture.url, fixture.app) = (healthy_url, healthy_app);
    let token = fixture.admit(&sale.drop, &next.fan.visitor);
    let next = Buyer { token, ..next };
    booked(&fixture, &next, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, id).await.unwrap();
    assert_eq!(purchased(&fixture).await, 0);
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, id).await, "canceled");
}

/// The same world behind a second booking process that cannot reach the provider.
pub(super) async fn without_provider(fixture: Fixture) -> Fixture {
    // a port that was free a moment ago
    let listener = crate::fixture::listen();
    let nobody = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    with_provider(fixture, nobody).await
}

/// The same world behind a second booking process that has this for a provider.
pub(super) async fn with_provider(mut fixture: Fixture, api_base: String) -> Fixture {
    let mut settings = fixture.app.settings.clone();
    settings.stripe.api_base = api_base;
    let (router, app) = booking::build(settings, second(&fixture)).await.expect("booking starts");
    fixture.url = shared::testing::serve(router).await;
    fixture.app = app;
    fixture
}

/// What a second booking process over the same world is given. Its background jobs take no step: they would
/// do what the test means to do, at a time of their own.
fn second(fixture: &Fixture) -> Deps {
    let stopped = Lifecycle::new();
    stopped.stop();
    Deps {
        pool: fixture.world.pool.clone(),
        redis: fixture.world.redis.clone(),
        keyring: shared::testing::keyring(),
        clock: fixture.clock.clone(),
        public_url: crate::fixture::ISSUER.to_owned(),
        site: shared::testing::site(vec![booking::assets()]),
        lifecycle: stopped,
        data_dir: fixture.data_dir.path().join("second"),
    }
}

#[tokio::test]
async fn with_settings_that_make_no_sense_booking_does_not_start() {
    let fixture = still().await;
    let mut settings = fixture.app.settings.clone();
    settings.stripe.webhook_secret = "".into();
    let refused = booking::build(settings, second(&fixture)).await.err().expect("any caller could send webhooks");
    assert!(refused.to_string().starts_with("booking.stripe.webhook_secret is not set"), "{refused}");
    let mut settings = fixture.app.settings.clone();
    settings.outbox_lease_s = 81;
    let refused = booking::build(settings, second(&fixture)).await.err().expect("a cancellation could last longer");
    assert!(refused.to_string().starts_with("booking.outbox_lease_s is 81"), "{refused}");
}
