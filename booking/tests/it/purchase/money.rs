//! Money moves only for tickets, whoever tells us about it, how often and how late.

use booking::purchase::outbox::{self, Job, Queue};

use super::provider::{Fault, Provider};
use super::*;
use crate::fixture::WEBHOOK_SECRET;

pub(super) async fn webhook(fixture: &Fixture, event_id: &str, kind: &str, intent_id: &str) -> u16 {
    let body =
        json!({ "id": event_id, "type": kind, "data": { "object": { "id": intent_id, "status": "succeeded" } } });
    let body = body.to_string();
    let secret = fixture_secret(fixture);
    let signature = booking::payments::signature::sign(&secret, body.as_bytes(), fixture.clock.now());
    deliver(fixture, body, &signature).await
}

fn fixture_secret(fixture: &Fixture) -> String {
    use secrecy::ExposeSecret as _;
    fixture.app.settings.stripe.webhook_secret.expose_secret().to_owned()
}

async fn deliver(fixture: &Fixture, body: String, signature: &str) -> u16 {
    let url = format!("{}/payments/stripe/webhook", fixture.url);
    let request = fixture.http.post(url).header("Stripe-Signature", signature).body(body);
    request.send().await.expect("booking answers").status().as_u16()
}

#[tokio::test]
async fn a_webhook_completes_what_the_browser_forgot() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let intent = intent_id(&fixture, booking.booking_id()).await;

    // a payload is never trusted: nothing was authorised yet
    let capturable = "payment_intent.amount_capturable_updated";
    assert_eq!(webhook(&fixture, "evt_0", capturable, &intent).await, 200);
    assert_eq!(purchased(&fixture).await, 0);

    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    for _ in 0..2 {
        assert_eq!(webhook(&fixture, "evt_1", capturable, &intent).await, 200);
    }
    assert_eq!(webhook(&fixture, "evt_2", capturable, &intent).await, 200);
    assert_eq!(purchased(&fixture).await, 1);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "requires_capture");
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'capture'").await, 1);
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
    assert_eq!(webhook(&fixture, "evt_3", "payment_intent.succeeded", &intent).await, 200);
    assert_eq!(webhook(&fixture, "evt_4", capturable, "pi_unknown").await, 200);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'void'").await, 0);
}

#[tokio::test]
async fn a_forged_webhook_is_refused() {
    let fixture = still().await;
    let body = json!({ "id": "evt", "type": "payment_intent.succeeded", "data": { "object": { "id": "pi_1" } } });
    let now = fixture.clock.now();
    let forged = booking::payments::signature::sign("whsec_forged", body.to_string().as_bytes(), now);
    assert_eq!(deliver(&fixture, body.to_string(), &forged).await, 400);
    let old = booking::payments::signature::sign(WEBHOOK_SECRET, body.to_string().as_bytes(), now - seconds(3_600));
    assert_eq!(deliver(&fixture, body.to_string(), &old).await, 400);
    assert_eq!(count(&fixture, "SELECT count(*) FROM webhook_events").await, 0);
}

#[tokio::test]
async fn an_event_about_something_else_is_heard_and_left_alone() {
    let fixture = still().await;
    let told = async |kind: &str, data: Value| {
        let body = json!({ "id": "evt", "type": kind, "data": data }).to_string();
        let signature = booking::payments::signature::sign(WEBHOOK_SECRET, body.as_bytes(), fixture.clock.now());
        deliver(&fixture, body, &signature).await
    };
    assert_eq!(told("balance.available", json!({ "object": { "object": "balance" } })).await, 200, "it has no id");
    assert_eq!(told("account.updated", Value::Null).await, 200);
    assert_eq!(told("payment_intent.succeeded", json!({ "object": {} })).await, 400);
}

#[tokio::test]
async fn the_sandbox_tells_us_itself() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let deadline = tokio::time::Instant::now() + seconds(20);
    while look(&fixture, &buyer.fan, booking.booking_id()).await.body["captured_at"].is_null() {
        assert!(tokio::time::Instant::now() < deadline, "webhook, decision, capture");
        tokio::task::yield_now().await;
    }
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn the_poller_finds_what_nobody_told() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::poller::do_once(&fixture.app).await.unwrap();
    assert_eq!(purchased(&fixture).await, 0, "too young to be asked about");
    fixture.clock.advance(seconds(30));
    booking::purchase::poller::do_once(&fixture.app).await.unwrap();
    assert_eq!(purchased(&fixture).await, 1);
}

#[tokio::test]
async fn a_refused_capture_undoes_the_sale() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await;
    let id = booking.booking_id();
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let settled = booking::purchase::settle::settle(&fixture.app, id).await.unwrap();
    assert!(matches!(settled, booking::purchase::settle::Settled::Completed { capture: Some(_) }));
    assert_eq!(purchased(&fixture).await, 2);

    // the authorisation is withdrawn between the decision and the capture
    at_provider(&fixture, &intent_id(&fixture, id).await, "cancel").await;
    drain_outbox(&fixture).await;
    let seen = look(&fixture, &buyer.fan, id).await;
    assert_eq!((&seen.body["status"], &seen.body["reason"]), (&json!("cancelled"), &json!("capture-refused")));
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(count(&fixture, "SELECT sum(quantity) FROM fan_limits").await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'refusal-mail'").await, 1);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 0);

    let next = super::buyer(&fixture, &sale).await;
    booked(&fixture, &next, &sale, &["A-1", "A-2"]).await;
}

#[tokio::test]
async fn an_authorisation_for_another_amount_buys_nothing() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    sqlx::query("UPDATE bookings SET total_amount = total_amount + 1").execute(&fixture.world.pool).await.unwrap();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 202);
    assert_eq!(purchased(&fixture).await, 0);
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, id).await, "canceled");
}

#[tokio::test]
async fn an_authorisation_for_another_booking_buys_nothing() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let paid = booked(&fixture, &one, &sale, &["A-1"]).await;
    let unpaid = booked(&fixture, &two, &sale, &["A-2"]).await;
    authorise_in_browser(&fixture, &paid, "pm_card_visa").await;
    // somebody swaps the intents in our own books
    let intent = intent_id(&fixture, paid.booking_id()).await;
    sqlx::query("DELETE FROM payment_attempts WHERE booking_id = $1")
        .bind(unpaid.booking_id())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    sqlx::query("UPDATE payment_attempts SET booking_id = $1 WHERE intent_id = $2")
        .bind(unpaid.booking_id())
        .bind(&intent)
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    assert_eq!(confirm(&fixture, &two.fan, unpaid.booking_id(), None).await.status, 202);
    assert_eq!(purchased(&fixture).await, 0);
}

/// A second intent for a booking, as a second attempt would have made it; its id.
async fn second_intent(fixture: &Fixture, booking_id: Uuid, amount: i64) -> String {
    let (amount, booking) = (amount.to_string(), booking_id.to_string());
    let form = [
        ("amount", amount.as_str()),
        ("currency", "usd"),
        ("capture_method", "manual"),
        ("payment_method_types[0]", "card"),
        ("metadata[booking_id]", booking.as_str()),
    ];
    let url = format!("{}/v1/payment_intents", fixture.sandbox_url);
    let request = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&form);
    let intent: Value = request.send().await.expect("the sandbox answers").json().await.expect("JSON");
    let intent_id = intent["id"].as_str().expect("an id").to_owned();
    sqlx::query(
        "INSERT INTO payment_attempts (attempt_id, booking_id, intent_id, status, created_at)
         VALUES ($1, $2, $3, 'created', now() - interval '1 hour')",
    )
    .bind(Uuid::new_v4())
    .bind(booking_id)
    .bind(&intent_id)
    .execute(&fixture.world.pool)
    .await
    .expect("an attempt");
    intent_id
}

async fn statuses(fixture: &Fixture) -> Vec<String> {
    let mut statuses: Vec<String> =
        fixture.intents().await.iter().map(|intent| intent["status"].as_str().unwrap_or_default().to_owned()).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn who_pays_twice_is_charged_once() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let second = second_intent(&fixture, booking.booking_id(), 1_000).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    let url = format!("{}/v1/payment_intents/{second}/confirm", fixture.sandbox_url);
    let request = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&[("payment_method", "pm_card_visa")]);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(statuses(&fixture).await, ["requires_capture", "requires_capture"]);

    assert_eq!(confirm(&fixture, &buyer.fan, booking.booking_id(), None).await.status, 200);
    drain_outbox(&fixture).await;
    assert_eq!(statuses(&fixture).await, ["canceled", "succeeded"]);
}

#[tokio::test]
async fn an_attempt_the_provider_gave_up_makes_room_for_another() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    at_provider(&fixture, &intent_id(&fixture, id).await, "cancel").await;
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 202);
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    assert_eq!(statuses(&fixture).await, ["canceled", "succeeded"]);
}

#[tokio::test]
async fn a_job_whose_worker_died_is_done_by_the_next() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();

    // leased, captured at the provider, and killed before that was written down
    let leased = fixture.clock.now() + seconds(60);
    sqlx::query("UPDATE outbox SET attempts = 1, run_at = $1::timestamptz WHERE kind = 'capture'")
        .bind(leased.to_string())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    at_provider(&fixture, &intent_id(&fixture, booking.booking_id()).await, "capture").await;
    drain_outbox(&fixture).await;
    assert!(look(&fixture, &buyer.fan, booking.booking_id()).await.body["captured_at"].is_null());

    fixture.clock.advance(seconds(61));
    drain_outbox(&fixture).await;
    assert!(look(&fixture, &buyer.fan, booking.booking_id()).await.body["captured_at"].is_string());
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 1);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_capture_done_again_after_its_refusal_takes_nothing() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    // a worker undid the sale and died before it finished the job
    sqlx::query("UPDATE bookings SET status = 'cancelled', phase = 'closed', reason = 'capture-refused'")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "requires_capture");
    assert_eq!(open_jobs(&fixture).await, 0);
}

#[tokio::test]
async fn a_capture_of_less_than_the_price_is_not_the_price() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    let intent = intent_id(&fixture, booking.booking_id()).await;
    let url = format!("{}/v1/payment_intents/{intent}/capture", fixture.sandbox_url);
    let request = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&[("amount_to_capture", "400")]);
    assert_eq!(request.send().await.unwrap().status(), 200);
    drain_outbox(&fixture).await;
    let seen = look(&fixture, &buyer.fan, booking.booking_id()).await;
    assert_eq!((&seen.body["reason"], &seen.body["captured_at"]), (&json!("capture-refused"), &Value::Null));
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(super::refund::given_back(&fixture).await, 400);
    assert_eq!(open_jobs(&fixture).await, 0);
}

#[tokio::test]
async fn money_taken_and_given_back_elsewhere_is_not_taken() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    let intent = intent_id(&fixture, booking.booking_id()).await;
    at_provider(&fixture, &intent, "capture").await;
    let url = format!("{}/v1/refunds", fixture.sandbox_url);
    let request = fixture.http.post(url).bearer_auth(SECRET_KEY).form(&[("payment_intent", intent.as_str())]);
    assert_eq!(request.send().await.unwrap().status(), 200);
    drain_outbox(&fixture).await;
    let seen = look(&fixture, &buyer.fan, booking.booking_id()).await;
    assert_eq!((&seen.body["reason"], &seen.body["captured_at"]), (&json!("capture-refused"), &Value::Null));
    assert_eq!((purchased(&fixture).await, live_claims(&fixture).await), (0, 0));
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 0);
    assert_eq!(super::refund::given_back(&fixture).await, SEAT_PRICE, "once");
}

#[tokio::test]
async fn a_capture_refused_half_an_hour_long_is_refused() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    // however often it has failed otherwise, and however long ago it was refused once
    sqlx::query("UPDATE outbox SET attempts = 100 WHERE kind = 'capture'").execute(&fixture.world.pool).await.unwrap();
    let error = json!({ "type": "invalid_request_error", "code": "charge_expired_for_capture" });
    for (fault, later, completed) in [
        (Fault::Refuses(400, error.clone()), 1_801, 1),
        (Fault::Fails, 61, 1),
        (Fault::Refuses(400, error.clone()), 1_799, 1),
        (Fault::Refuses(400, error.clone()), 61, 1),
        (Fault::Refuses(400, error), 61, 0),
    ] {
        provider.spoil("/capture", fault);
        drain_outbox(&fixture).await;
        assert_eq!(count(&fixture, "SELECT count(*) FROM bookings WHERE status = 'completed'").await, completed);
        fixture.clock.advance(seconds(later));
    }
    drain_outbox(&fixture).await;
    assert_eq!((purchased(&fixture).await, open_jobs(&fixture).await), (0, 0));
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "canceled");
}

#[tokio::test]
async fn a_refund_that_failed_is_tried_again() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    booking::purchase::refund::here(&fixture.app, id).await.unwrap();
    provider.spoil("/refunds", Fault::Answers(json!({ "id": "re_1", "amount": 1_000, "status": "failed" })));
    drain_outbox(&fixture).await;
    assert_eq!(open_jobs(&fixture).await, 1, "the money is still ours");
    fixture.clock.advance(seconds(2));
    drain_outbox(&fixture).await;
    assert_eq!(open_jobs(&fixture).await, 0);
}

#[tokio::test]
async fn a_refund_that_failed_for_two_days_comes_again_each_hour() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    booking::purchase::refund::here(&fixture.app, id).await.unwrap();
    sqlx::query("UPDATE outbox SET attempts = 3000 WHERE kind = 'void'").execute(&fixture.world.pool).await.unwrap();
    provider.spoil("/refunds", Fault::Answers(json!({ "id": "re_1", "amount": 1_000, "status": "failed" })));
    for (later, open) in [(0, 1), (3_599, 1), (2, 0)] {
        fixture.clock.advance(seconds(later));
        drain_outbox(&fixture).await;
        assert_eq!(open_jobs(&fixture).await, open, "{later} s later");
    }
}

async fn open_jobs(fixture: &Fixture) -> i64 {
    count(fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL").await
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_has_no_say() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    provider.spoil("/capture", Fault::Hangs);
    let overtaken = async {
        provider.asked("/capture").await;
        sqlx::query("UPDATE outbox SET attempts = attempts + 1 WHERE kind = 'capture'")
            .execute(&fixture.world.pool)
            .await
            .unwrap();
        provider.heal();
    };
    let (worked, ()) = tokio::join!(outbox::do_once(&fixture.app, Queue::Deeds), overtaken);
    worked.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'capture' AND done_at IS NULL").await, 1);
    // the other one finds out that the money was taken
    fixture.clock.advance(seconds(61));
    drain_outbox(&fixture).await;
    assert_eq!(open_jobs(&fixture).await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 1);
}

#[tokio::test]
async fn no_job_waits_under_a_lease() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    booked(&fixture, &buyer, &sale, &["A-1"]).await;
    for _ in 0..12 {
        let job = Job::TicketMail { booking_id: Uuid::now_v7() };
        outbox::enqueue(&fixture.world.pool, &job, fixture.clock.now()).await.unwrap();
    }
    assert_eq!(outbox::do_once(&fixture.app, Queue::Mails).await.unwrap(), 8);
    assert_eq!(outbox::do_once(&fixture.app, Queue::Mails).await.unwrap(), 4);
}

#[tokio::test]
async fn the_place_of_a_drop_that_is_over_needs_no_ending() {
    let fixture = still_with(deaf()).await;
    for (drop_id, state) in [("over", "ended"), ("lost", "running")] {
        sqlx::query("INSERT INTO drops (drop_id, rate_per_minute, seed, state) VALUES ($1, 60, '', $2)")
            .bind(drop_id)
            .bind(state)
            .execute(&fixture.world.pool)
            .await
            .unwrap();
        let place = Place::from_bytes(encoding::random()).to_string();
        let job = Job::EndPlace { drop_id: drop_id.to_owned(), place };
        outbox::enqueue(&fixture.world.pool, &job, fixture.clock.now()).await.unwrap();
    }
    // neither has a line in Redis
    drain_outbox(&fixture).await;
    let waiting: String = sqlx::query_scalar("SELECT body ->> 'drop_id' FROM outbox WHERE done_at IS NULL")
        .fetch_one(&fixture.world.pool)
        .await
        .unwrap();
    assert_eq!(waiting, "lost", "its line may be restored");
}

#[tokio::test]
async fn finished_jobs_are_forgotten_after_a_month() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let intent = intent_id(&fixture, id).await;
    assert_eq!(webhook(&fixture, "evt_1", "payment_intent.created", &intent).await, 200);
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    booking::purchase::purge::do_once(&fixture.app).await.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox").await, 3, "capture, end-place, ticket-mail");
    fixture.clock.advance(seconds(31 * 86_400));
    booking::purchase::purge::do_once(&fixture.app).await.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox").await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM webhook_events").await, 0);
}
