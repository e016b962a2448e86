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

/// As a process leaves it that died before its answer was kept.
async fn forget_answers(fixture: &Fixture) {
    let died = sqlx::query("UPDATE idempotency SET status = NULL, response = NULL WHERE key = 'k'");
    assert_eq!(died.execute(&fixture.world.pool).await.unwrap().rows_affected(), 1);
    fixture.clock.advance(seconds(11));
}

#[tokio::test]
async fn more_time_given_by_a_request_that_died_is_not_given_again() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let path = format!("/booking/{id}/extend");
    let extend = async || Answer::of(keyed(&fixture, &buyer.fan, &path, "k", &json!({}))).await;
    let first = extend().await;
    assert_eq!(first.status, 200, "{first:?}");
    forget_answers(&fixture).await;
    let resumed = extend().await;
    assert_eq!((resumed.status, &resumed.body["expires_at"]), (200, &first.body["expires_at"]), "{resumed:?}");
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 1);
    // … and when nothing can be extended any more: the question is what became of it
    forget_answers(&fixture).await;
    assert_eq!(cancel(&fixture, &buyer.fan, id).await.status, 200);
    assert_eq!(extend().await.body["status"], "cancelled");
}

#[tokio::test]
async fn more_time_and_the_word_that_it_was_given_are_one_transaction() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let path = format!("/booking/{id}/extend");
    let extend = async || Answer::of(keyed(&fixture, &buyer.fan, &path, "k", &json!({}))).await;
    let pool = &fixture.world.pool;
    sqlx::query("CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the process dies'; END $$")
        .execute(pool)
        .await
        .unwrap();
    let dies = "CREATE TRIGGER dies BEFORE UPDATE OF booking_id ON idempotency FOR EACH ROW EXECUTE FUNCTION dies()";
    sqlx::query(dies).execute(pool).await.unwrap();
    assert_eq!(extend().await.status, 500);
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 0);
    sqlx::query("DROP TRIGGER dies ON idempotency").execute(pool).await.unwrap();
    fixture.clock.advance(seconds(11));
    assert_eq!(extend().await.status, 200);
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 1);
}

#[tokio::test]
async fn more_time_is_given_once_when_the_first_was_only_slow() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let path = format!("/booking/{id}/extend");
    let extend = async || Answer::of(keyed(&fixture, &buyer.fan, &path, "k", &json!({}))).await;
    assert_eq!(extend().await.status, 200);
    forget_answers(&fixture).await;
    let pool = &fixture.world.pool;
    sqlx::query("UPDATE idempotency SET booking_id = NULL WHERE key = 'k'").execute(pool).await.unwrap();

    // the first commits when the second has read that nothing was done
    let mut first = pool.begin().await.unwrap();
    let mark = sqlx::query("UPDATE idempotency SET booking_id = $1 WHERE key = 'k'").bind(id);
    mark.execute(&mut *first).await.unwrap();
    let commits = async {
        let deadline = tokio::time::Instant::now() + seconds(20);
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while count(&fixture, waiting).await == 0 {
            assert!(tokio::time::Instant::now() < deadline, "the second waits for the key");
            tokio::task::yield_now().await;
        }
        first.commit().await.unwrap();
    };
    let (second, ()) = tokio::join!(extend(), commits);
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(count(&fixture, "SELECT extensions::bigint FROM bookings").await, 1);
}

#[tokio::test]
async fn keys_are_limited_by_account_before_they_are_written() {
    let few = json!({ "limits": { "confirm": { "per_minute": 1, "burst": 3 } } });
    let fixture = still_with(few).await;
    let fan = account(&fixture).await;
    let nobodys = Uuid::new_v4();
    let mut told = Vec::new();
    for (number, action) in ["cancel", "extend", "cancel", "cancel", "extend"].into_iter().enumerate() {
        let path = format!("/booking/{nobodys}/{action}");
        told.push(Answer::of(keyed(&fixture, &fan, &path, &number.to_string(), &json!({}))).await.status);
    }
    let pay = json!({ "booking_id": nobodys });
    told.push(Answer::of(keyed(&fixture, &fan, "/booking/confirm", "pay", &pay)).await.status);
    assert_eq!(told, [404, 404, 404, 429, 429, 429]);
    assert_eq!(count(&fixture, "SELECT count(*) FROM idempotency").await, 3);
    let keyless = fixture.http.post(format!("{}/booking/{nobodys}/cancel", fixture.url)).bearer_auth(&fan.session);
    assert_eq!(Answer::of(keyless).await.told(), (429, "rate-limited"), "with or without a key");
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
