//! The provider does not know an intent of ours: keys of another account, a ledger that was lost, or a moment's
//! forgetting. No fan is stuck with it, and no money: it goes back when the intent is known again.

use booking::purchase::expiry;
use booking::purchase::settle::{Settled, settle};

use super::provider::{Fault, Provider};
use super::*;

/// Our books name an intent that the provider does not have.
async fn lose_intent(fixture: &Fixture) {
    let pool = &fixture.world.pool;
    for lost in [
        "UPDATE payment_attempts SET intent_id = 'pi_lost'",
        "UPDATE bookings SET intent_id = 'pi_lost' WHERE intent_id IS NOT NULL",
        "UPDATE outbox SET body = jsonb_set(body, '{intent_id}', '\"pi_lost\"') WHERE body ? 'intent_id'",
    ] {
        sqlx::query(lost).execute(pool).await.unwrap();
    }
}

async fn open_jobs(fixture: &Fixture) -> i64 {
    count(fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await
}

fn missing() -> Fault {
    let error = json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "intent" });
    Fault::Refuses(404, error)
}

#[tokio::test]
async fn who_pays_goes_on_with_another_intent() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    lose_intent(&fixture).await;
    let paid = confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("completed")), "{paid:?}");
    for later in [0, 3_601] {
        fixture.clock.advance(seconds(later));
        drain_outbox(&fixture).await;
        assert_eq!(open_jobs(&fixture).await, 1, "the lost one may turn up with money yet");
    }
}

#[tokio::test]
async fn a_card_the_provider_does_not_know_is_told_apart() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let told = confirm(&fixture, &one.fan, id, Some("pm_card_of_nobody")).await;
    assert_eq!(told.told(), (422, "wrong-type"));
    assert_eq!(fixture.intents().await.len(), 1);
}

#[tokio::test]
async fn a_card_that_cannot_be_used_is_declined_and_a_mistake_of_ours_is_not() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let used = json!({ "type": "invalid_request_error", "param": "payment_method", "message": "used before" });
    let unfit = json!({ "type": "invalid_request_error", "code": "payment_method_unactivated" });
    for (error, code) in [(used, "payment_method_unusable"), (unfit, "payment_method_unactivated")] {
        provider.spoil("/confirm", Fault::Refuses(400, error));
        let told = confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await;
        assert_eq!((told.told(), told.body["code"].as_str()), ((402, "declined"), Some(code)), "{told:?}");
    }
    let ours = json!({ "type": "invalid_request_error", "code": "parameter_invalid", "param": "return_url" });
    provider.spoil("/confirm", Fault::Refuses(400, ours));
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.told(), (503, "unavailable"));
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
}

#[tokio::test]
async fn the_others_of_the_booking_are_settled() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    let lost = "INSERT INTO payment_attempts (attempt_id, booking_id, intent_id, status, created_at)
                VALUES (gen_random_uuid(), $1, 'pi_lost', 'created', now() + interval '1 hour')";
    sqlx::query(lost).bind(booking.booking_id()).execute(&fixture.world.pool).await.unwrap();
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let settled = settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert!(matches!(settled, Settled::Completed { .. }), "{settled:?}");
}

#[tokio::test]
async fn a_lost_intent_keeps_its_seats_to_the_cap() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    lose_intent(&fixture).await;
    assert_eq!(cancel(&fixture, &one.fan, booking.booking_id()).await.status, 202);
    for (later, held) in [(601, 1), (898, 1), (2, 0)] {
        fixture.clock.advance(seconds(later));
        expiry::do_once(&fixture.app).await.unwrap();
        assert_eq!(live_claims(&fixture).await, held, "{later} s later");
    }
}

#[tokio::test]
async fn a_fan_whose_intent_was_not_known_for_a_moment_has_paid() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    fixture.clock.advance(seconds(601));
    provider.spoil("", missing());
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!((live_claims(&fixture).await, purchased(&fixture).await), (1, 0));
    provider.spoil("", missing());
    let unsettled = settle(&fixture.app, booking.booking_id()).await;
    assert!(unsettled.is_err(), "a webhook comes again: {unsettled:?}");
    assert!(matches!(settle(&fixture.app, booking.booking_id()).await.unwrap(), Settled::Completed { .. }));
}

#[tokio::test]
async fn money_of_an_intent_that_was_lost_for_days_goes_back() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    let intent = intent_id(&fixture, id).await;
    booking::purchase::refund::here(&fixture.app, id).await.unwrap();
    lose_intent(&fixture).await;
    for _ in 0..5 {
        drain_outbox(&fixture).await;
        fixture.clock.advance(seconds(86_400));
    }
    for known in [
        "UPDATE payment_attempts SET intent_id = $1",
        "UPDATE bookings SET intent_id = $1 WHERE intent_id IS NOT NULL",
        "UPDATE outbox SET body = jsonb_set(body, '{intent_id}', to_jsonb($1::text)) WHERE body ? 'intent_id'",
    ] {
        sqlx::query(known).bind(&intent).execute(&fixture.world.pool).await.unwrap();
    }
    drain_outbox(&fixture).await;
    assert_eq!(open_jobs(&fixture).await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM payment_attempts WHERE undone_at IS NOT NULL").await, 1);
    assert_eq!(super::refund::given_back(&fixture).await, SEAT_PRICE);
}

#[tokio::test]
async fn a_sale_whose_intent_is_lost_is_undone_after_half_an_hour() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    lose_intent(&fixture).await;
    for (later, sold) in [(0, 1), (1_799, 1), (61, 0)] {
        fixture.clock.advance(seconds(later));
        drain_outbox(&fixture).await;
        assert_eq!(purchased(&fixture).await, sold, "{later} s later");
    }
    assert_eq!(look(&fixture, &one.fan, booking.booking_id()).await.body["reason"], "capture-refused");
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'refusal-mail'").await, 1);
    assert_eq!(open_jobs(&fixture).await, 1, "it is given up when it is known again");
}
