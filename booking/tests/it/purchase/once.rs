//! Writes under a key: paying, giving back and asking for more time are done once, whatever is repeated.

use super::*;

fn keyed(fixture: &Fixture, fan: &Fan, path: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
    let request = fixture.http.post(format!("{}{path}", fixture.url)).bearer_auth(&fan.session);
    request.header("Idempotency-Key", key).json(body)
}

async fn bytes(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_payment_repeated_under_its_key_gets_the_first_answer() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let pay = |card: &str| json!({ "booking_id": id, "payment_method": card });
    let confirm = async |key, body: Value| bytes(keyed(&fixture, &buyer.fan, "/booking/confirm", key, &body)).await;

    let declined = confirm("one", pay("pm_card_chargeDeclined")).await;
    assert_eq!((declined.0, declined.1.as_str()), (402, "application/problem+json"));
    let paid = confirm("two", pay("pm_card_visa")).await;
    assert_eq!(paid.0, 200);
    assert_eq!(confirm("one", pay("pm_card_chargeDeclined")).await, declined, "though it is paid for by now");
    drain_outbox(&fixture).await;
    assert_eq!(confirm("two", pay("pm_card_visa")).await, paid, "byte for byte");
    let (status, _, mismatch) = confirm("two", pay("pm_card_mastercard")).await;
    assert_eq!(status, 422, "{mismatch}");
    assert!(mismatch.contains("/problems/idempotency-mismatch"), "{mismatch}");
}

#[tokio::test]
async fn what_the_bank_has_not_decided_is_asked_again() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let pay = json!({ "booking_id": id, "payment_method": "pm_card_threeDSecure2Required" });
    let confirm = async || Answer::of(keyed(&fixture, &buyer.fan, "/booking/confirm", "k", &pay)).await;
    assert_eq!(confirm().await.status, 202);
    fixture.challenge(&intent_id(&fixture, id).await, true).await;
    let paid = confirm().await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("completed")), "{paid:?}");
}

#[tokio::test]
async fn more_time_is_given_once_a_key() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let path = format!("/booking/{id}/extend");
    let extend = |key| bytes(keyed(&fixture, &buyer.fan, &path, key, &json!({})));
    let first = extend("a").await;
    assert_eq!(first.0, 200, "{first:?}");
    assert_eq!(extend("a").await, first);
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 1);
    assert_ne!(extend("b").await, first);
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 2);
}

#[tokio::test]
async fn who_asks_while_the_first_is_under_way_is_told_so_and_goes_on_when_it_died() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let path = format!("/booking/{id}/cancel");
    let cancel = async || Answer::of(keyed(&fixture, &buyer.fan, &path, "k", &json!({}))).await;
    assert_eq!(cancel().await.status, 200);
    // as a process leaves it that died before its answer was kept
    let died = "UPDATE idempotency SET status = NULL, response = NULL WHERE key = 'k'";
    assert_eq!(sqlx::query(died).execute(&fixture.world.pool).await.unwrap().rows_affected(), 1);
    assert_eq!(cancel().await.told(), (409, "in-flight"));
    fixture.clock.advance(seconds(11));
    let again = cancel().await;
    assert_eq!((again.status, again.body["status"].as_str()), (200, Some("cancelled")));
}

#[tokio::test]
async fn what_the_server_could_not_do_is_not_kept() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let pay = json!({ "booking_id": id, "payment_method": "pm_card_visa" });
    let healthy = fixture.url.clone();
    let mut fixture = super::expiry::without_provider(fixture).await;
    let refused = Answer::of(keyed(&fixture, &buyer.fan, "/booking/confirm", "k", &pay)).await;
    assert_eq!(refused.told(), (503, "unavailable"));
    fixture.url = healthy;
    assert_eq!(Answer::of(keyed(&fixture, &buyer.fan, "/booking/confirm", "k", &pay)).await.status, 200);
}

#[tokio::test]
async fn a_key_is_as_good_as_new_after_a_day() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let first = buyer(&fixture, &sale).await;
    let body = named(&sale, &["A-1"]);
    let checkout = async |buyer: &Buyer| {
        let request = keyed(&fixture, &buyer.fan, "/booking/checkout", "k", &body);
        let request = request.header("Onsale-Admission", &buyer.token);
        Answer::of(request.header("Onsale-Visitor", buyer.fan.visitor.expose())).await
    };
    let made = checkout(&first).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(cancel(&fixture, &first.fan, made.booking_id()).await.status, 200);
    // with a place of its own each time: the key is the account's
    let back = || {
        let session = fixture.app.sessions.issue(first.fan.user_id, fixture.clock.now() + seconds(86_400));
        let (user_id, email, visitor) = (first.fan.user_id, String::new(), VisitorSecret::generate());
        admitted(&fixture, &sale, Fan { user_id, email, session, visitor })
    };
    fixture.clock.advance(seconds(86_399));
    assert_eq!(checkout(&back()).await.body, made.body, "within its day, the same answer");
    fixture.clock.advance(seconds(1));
    let again = checkout(&back()).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.booking_id(), made.booking_id());
}
