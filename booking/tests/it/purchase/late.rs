//! Money that comes after the time was up: the very same tickets, or the money back.

use booking::purchase::expiry;
use booking::purchase::outbox::Job;
use booking::purchase::settle::{Settled, settle};

use super::*;

/// A booking that lost its seats at the cap, because the provider could not be asked; the provider is back.
async fn expired(fixture: Fixture, buyer: &Buyer, sale: &Sale, seats: &[&str]) -> (Fixture, Answer) {
    let booking = booked(&fixture, buyer, sale, seats).await;
    (lost_at_the_cap(fixture).await, booking)
}

async fn lost_at_the_cap(fixture: Fixture) -> Fixture {
    let (url, app) = (fixture.url.clone(), fixture.app.clone());
    let mut fixture = super::expiry::without_provider(fixture).await;
    fixture.clock.advance(seconds(601 + 900));
    expiry::do_once(&fixture.app).await.unwrap();
    (fixture.url, fixture.app) = (url, app);
    assert_eq!(live_claims(&fixture).await, 0, "the seats are free, and nobody was told to cancel");
    fixture
}

/// The same fan with a new token for the place.
fn again(fixture: &Fixture, sale: &Sale, buyer: Buyer) -> Buyer {
    let token = fixture.admit_at(&sale.drop, &buyer.fan.visitor, buyer.place);
    Buyer { token, ..buyer }
}

async fn refunds(fixture: &Fixture, intent_id: &str) -> Vec<i64> {
    let url = format!("{}/v1/refunds?payment_intent={intent_id}", fixture.sandbox_url);
    let list: Value = fixture.http.get(url).bearer_auth(SECRET_KEY).send().await.unwrap().json().await.unwrap();
    list["data"].as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).collect()
}

/// The booking's intent is one that the provider captures by itself when the fan authorises it.
async fn captured_by_itself(fixture: &Fixture, booking: &Answer) -> String {
    let (id, amount) = (booking.booking_id(), booking.body["total"]["amount"].to_string());
    let id_text = id.to_string();
    let form = [
        ("amount", amount.as_str()),
        ("currency", "usd"),
        ("capture_method", "automatic"),
        ("metadata[booking_id]", id_text.as_str()),
    ];
    let url = format!("{}/v1/payment_intents", fixture.sandbox_url);
    let made = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&form).send().await.unwrap();
    let intent: Value = made.json().await.unwrap();
    let intent_id = intent["id"].as_str().unwrap().to_owned();
    sqlx::query("UPDATE payment_attempts SET intent_id = $1 WHERE booking_id = $2")
        .bind(&intent_id)
        .bind(id)
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    intent_id
}

async fn authorise(fixture: &Fixture, intent_id: &str) {
    let url = format!("{}/v1/payment_intents/{intent_id}/confirm", fixture.sandbox_url);
    let request = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&[("payment_method", "pm_card_visa")]);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

async fn status(fixture: &Fixture, intent_id: &str) -> String {
    let all = fixture.intents().await;
    let intent = all.iter().find(|intent| intent["id"] == intent_id).expect("the provider knows it");
    intent["status"].as_str().unwrap().to_owned()
}

async fn late_mails(fixture: &Fixture) -> i64 {
    count(fixture, "SELECT count(*) FROM outbox WHERE kind = 'late-mail'").await
}

#[tokio::test]
async fn a_late_payment_gets_the_very_same_seats_if_all_are_free() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1", "A-2"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let settled = settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert!(matches!(settled, Settled::Completed { capture: Some(_) }), "{settled:?}");
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (2, 2));
    assert_eq!(count(&fixture, "SELECT sum(quantity) FROM fan_limits").await, 2);

    // the jobs that expiry left behind give up nothing that has won
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
    let seen = look(&fixture, &late.fan, booking.booking_id()).await;
    assert_eq!((&seen.body["status"], &seen.body["reason"]), (&json!("completed"), &Value::Null));
    assert_eq!(seen.seats(), ["A-1", "A-2"]);
    assert!(refunds(&fixture, &intent_id(&fixture, booking.booking_id()).await).await.is_empty());
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await, 0);
    assert_eq!(late_mails(&fixture).await, 0);
}

#[tokio::test]
async fn the_job_that_gives_a_payment_up_sees_that_it_came_late() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    drain_outbox(&fixture).await;
    assert_eq!(purchased(&fixture).await, 1);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn a_late_payment_with_one_seat_gone_goes_back() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (late, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1", "A-2"]).await;
    let next = again(&fixture, &sale, next);
    booked(&fixture, &next, &sale, &["A-2"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    assert!(matches!(settle(&fixture.app, booking.booking_id()).await.unwrap(), Settled::Over { .. }));
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 1));
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
    assert_eq!(purchased(&fixture).await, 0, "nor one of the two");
    assert_eq!(late_mails(&fixture).await, 1);
    let again = Job::Void { intent_id: intent_id(&fixture, booking.booking_id()).await };
    outbox::enqueue(&fixture.world.pool, &again, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(late_mails(&fixture).await, 1, "once");
}

#[tokio::test]
async fn who_has_not_paid_is_not_told_of_money() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (late, given_up) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let other = booked(&fixture, &given_up, &sale, &["A-2"]).await;
    authorise_in_browser(&fixture, &other, "pm_card_visa").await;
    assert_eq!(cancel(&fixture, &given_up.fan, other.booking_id()).await.status, 200);
    let (fixture, _) = expired(fixture, &late, &sale, &["A-1"]).await;
    drain_outbox(&fixture).await;
    assert_eq!(count(&fixture, "SELECT count(*) FROM payment_attempts WHERE undone_at IS NULL").await, 0);
    assert_eq!(late_mails(&fixture).await, 0);
}

#[tokio::test]
async fn money_for_seats_that_were_lost_goes_back_and_the_fan_is_told() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &one, &sale, &["A-1"]).await;
    sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE seat_number = 'A-1'")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(look(&fixture, &one.fan, booking.booking_id()).await.body["reason"], "payment-lost");
    assert_eq!(
        (intent_status(&fixture, booking.booking_id()).await.as_str(), late_mails(&fixture).await),
        ("canceled", 1)
    );
}

#[tokio::test]
async fn a_process_that_died_after_the_money_went_back_has_its_fan_told() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (late, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    booked(&fixture, &again(&fixture, &sale, next), &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    // it had cancelled, and written down only that it would
    let begun = "UPDATE payment_attempts SET voiding_at = $1::timestamptz, late_money_at = $1::timestamptz
                 WHERE booking_id = $2";
    let begun = sqlx::query(begun).bind(fixture.clock.now().to_string()).bind(booking.booking_id());
    begun.execute(&fixture.world.pool).await.unwrap();
    at_provider(&fixture, &intent_id(&fixture, booking.booking_id()).await, "cancel").await;
    drain_outbox(&fixture).await;
    assert_eq!(late_mails(&fixture).await, 1);
}

#[tokio::test]
async fn a_late_payment_that_may_be_being_cancelled_waits_for_its_seats() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    sqlx::query("UPDATE payment_attempts SET voiding_at = $1::timestamptz, late_money_at = $1::timestamptz")
        .bind(fixture.clock.now().to_string())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "requires_capture", "not cancelled again");
    fixture.clock.advance(seconds(61));
    drain_outbox(&fixture).await;
    assert_eq!(purchased(&fixture).await, 1);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
    // refunded one day, it still did not come too late
    booking::purchase::refund::here(&fixture.app, booking.booking_id()).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(late_mails(&fixture).await, 0);
}

#[tokio::test]
async fn a_withdrawn_seat_is_not_had_late_either() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1", "A-2"]).await;
    let withdrawn = sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE seat_number = 'A-2'");
    withdrawn.execute(&fixture.world.pool).await.unwrap();
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    drain_outbox(&fixture).await;
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
}

#[tokio::test]
async fn who_went_on_with_the_same_place_gets_no_second_seats() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    let late = again(&fixture, &sale, late);
    booked(&fixture, &late, &sale, &["A-4"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 1), "A-1 is free all the same");
}

#[tokio::test]
async fn a_late_payment_is_within_the_fans_limit() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(3, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    // eight others by another place of the same account
    let place = Place::from_bytes(encoding::random());
    let token = fixture.admit_at(&sale.drop, &late.fan.visitor, place);
    let other = Buyer { token, place, ..late };
    let eight =
        checkout(&fixture, &other, &named(&sale, &["B-1", "B-2", "B-3", "B-4", "C-1", "C-2", "C-3", "C-4"])).await;
    assert_eq!(eight.status, 201, "{eight:?}");
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 8));
    drain_outbox(&fixture).await;
    assert_eq!(status(&fixture, &intent_id(&fixture, booking.booking_id()).await).await, "canceled");
}

#[tokio::test]
async fn money_that_the_provider_took_by_itself_is_refunded_when_the_seats_are_gone() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (late, next) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking = booked(&fixture, &late, &sale, &["A-1"]).await;
    let intent = captured_by_itself(&fixture, &booking).await;
    let fixture = lost_at_the_cap(fixture).await;
    let next = again(&fixture, &sale, next);
    let other = booked(&fixture, &next, &sale, &["A-1"]).await.booking_id();
    authorise(&fixture, &intent).await;
    assert_eq!(status(&fixture, &intent).await, "succeeded");
    drain_outbox(&fixture).await;
    assert_eq!(refunds(&fixture, &intent).await, [SEAT_PRICE]);

    // money that was given back buys nothing, free seats or not
    cancel(&fixture, &next.fan, other).await;
    for _ in 0..3 {
        settle(&fixture.app, booking.booking_id()).await.unwrap();
        drain_outbox(&fixture).await;
    }
    assert_eq!(purchased(&fixture).await, 0);
    assert_eq!(refunds(&fixture, &intent).await, [SEAT_PRICE], "once");
    assert_eq!(late_mails(&fixture).await, 1);
}

#[tokio::test]
async fn money_that_the_provider_took_by_itself_buys_seats_that_are_free() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &late, &sale, &["A-1"]).await;
    let intent = captured_by_itself(&fixture, &booking).await;
    let fixture = lost_at_the_cap(fixture).await;
    authorise(&fixture, &intent).await;
    drain_outbox(&fixture).await;
    assert_eq!(purchased(&fixture).await, 1);
    assert!(refunds(&fixture, &intent).await.is_empty());
    assert!(look(&fixture, &late.fan, booking.booking_id()).await.body["captured_at"].is_string());
}

#[tokio::test]
async fn a_payment_being_given_up_at_this_moment_does_not_win() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let late = buyer(&fixture, &sale).await;
    let (fixture, booking) = expired(fixture, &late, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    // a worker has told the provider to cancel, and has no answer yet
    let now = fixture.clock.now();
    sqlx::query("UPDATE payment_attempts SET voiding_at = $1::timestamptz")
        .bind(now.to_string())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!(purchased(&fixture).await, 0);
    fixture.clock.advance(seconds(61));
    settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!(purchased(&fixture).await, 1, "it has died");
}
