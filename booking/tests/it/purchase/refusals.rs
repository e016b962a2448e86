//! Every bad request gets its status and slug, and loses nothing.

use admission::drops;
use admission::ids::DropId;
use admission::token::{Grant, Signer};
use shared::encoding::base64url;

use super::*;
use crate::fixture::ISSUER;

/// Nothing came of the refusals: the seats can still be had by the same fan.
async fn nothing_is_lost(fixture: &Fixture, buyer: &Buyer, sale: &Sale) {
    assert_eq!(live_claims(fixture).await, 0);
    assert_eq!(count(fixture, "SELECT count(*) FROM bookings").await, 0);
    assert_eq!(fixture.intents().await.len(), 0);
    booked(fixture, buyer, sale, &["A-1", "A-2", "A-3", "A-4"]).await;
}

#[tokio::test]
async fn who_asks_must_be_signed_in_and_admitted() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1"]);
    let ask = |token: &str| Answer::of(fixture.post(&buyer.fan, "/booking/checkout", Some(token), &wish));
    let sign = |signer: &Signer, starts_in_s: i64| {
        let start = fixture.clock.now() + jiff::SignedDuration::from_secs(starts_in_s);
        let grant = Grant {
            drop: &sale.drop,
            place: buyer.place,
            jti: "jti".to_owned(),
            admitted_at: start,
            expires_at: start + seconds(900),
            visitor_hash: buyer.fan.visitor.hash(),
        };
        signer.sign(&grant).expect("a token")
    };

    let unsigned = fixture.http.post(format!("{}/booking/checkout", fixture.url)).json(&wish);
    assert_eq!(Answer::of(unsigned).await.told(), (401, "session-missing"));
    let forged = fixture.http.post(format!("{}/booking/checkout", fixture.url)).bearer_auth("AAAA").json(&wish);
    assert_eq!(Answer::of(forged).await.told(), (401, "session-invalid"));
    let bare = Answer::of(fixture.post(&buyer.fan, "/booking/checkout", None, &wish)).await;
    assert_eq!(bare.told(), (401, "admission-missing"));

    assert_eq!(ask("nonsense").await.told(), (401, "admission-invalid"));
    let mut broken = buyer.token.clone().into_bytes();
    let last = broken.len() - 10;
    broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
    assert_eq!(ask(std::str::from_utf8(&broken).unwrap()).await.told(), (401, "admission-invalid"));
    let foreign = shared::keyring::Keyring::new(vec![[1; 32]], [2; 32]).unwrap();
    let foreign = sign(&Signer::new(&foreign, ISSUER).unwrap(), 0);
    assert_eq!(ask(&foreign).await.told(), (401, "admission-invalid"));
    let elsewhere = sign(&Signer::new(&shared::testing::keyring(), "http://another.test").unwrap(), 0);
    assert_eq!(ask(&elsewhere).await.told(), (401, "admission-invalid"));
    assert_eq!(ask(&without_signature(&buyer.token)).await.told(), (401, "admission-invalid"));
    assert_eq!(ask(&sign(&fixture.signer, -2_000)).await.told(), (401, "admission-expired"));
    assert_eq!(ask(&sign(&fixture.signer, 120)).await.told(), (401, "admission-not-yet-valid"));

    nothing_is_lost(&fixture, &buyer, &sale).await;
}

/// The same claims under `alg: none`.
fn without_signature(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    format!("{}.{claims}.", base64url(br#"{"alg":"none","typ":"admission+jwt"}"#))
}

#[tokio::test]
async fn a_copied_token_is_worth_nothing() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let victim = buyer(&fixture, &sale).await;
    let wish = named(&sale, &["A-1"]);
    let bare = |visitor: Option<&VisitorSecret>| {
        let request = fixture
            .http
            .post(format!("{}/booking/checkout", fixture.url))
            .bearer_auth(&victim.fan.session)
            .header("Idempotency-Key", "k")
            .header("Onsale-Admission", &victim.token)
            .json(&wish);
        match visitor {
            Some(visitor) => request.header("Onsale-Visitor", visitor.expose()),
            None => request,
        }
    };
    assert_eq!(Answer::of(bare(None)).await.told(), (403, "visitor-mismatch"));
    let other = VisitorSecret::generate();
    assert_eq!(Answer::of(bare(Some(&other))).await.told(), (403, "visitor-mismatch"));
    nothing_is_lost(&fixture, &victim, &sale).await;
}

#[tokio::test]
async fn a_place_serves_one_account_and_an_account_one_place() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let owner = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &owner, &sale, &["A-1"]).await.booking_id();

    // the whole browser was copied, the account was not
    let stolen = Fan { visitor: owner.fan.visitor.clone(), ..account(&fixture).await };
    let thief = Buyer { fan: stolen, token: owner.token.clone(), place: owner.place };
    assert_eq!(checkout(&fixture, &thief, &named(&sale, &["A-2"])).await.told(), (403, "place-bound"));

    // the account got a second place
    let second = fixture.admit(&sale.drop, &owner.fan.visitor);
    let second = Answer::of(fixture.post(&owner.fan, "/booking/checkout", Some(&second), &named(&sale, &["A-2"])));
    assert_eq!(second.await.told(), (403, "place-bound"));

    // one open booking a place
    let again = checkout(&fixture, &owner, &named(&sale, &["A-3"])).await;
    assert_eq!(again.told(), (409, "booking-open"));
    assert_eq!(again.booking_id(), id);
    assert_eq!(live_claims(&fixture).await, 1);

    // an older place whose token is over and that has nothing open makes room
    cancel(&fixture, &owner.fan, id).await;
    fixture.clock.advance(seconds(1_000));
    let later = fixture.admit(&sale.drop, &owner.fan.visitor);
    let later = fixture.post(&owner.fan, "/booking/checkout", Some(&later), &named(&sale, &["A-4"]));
    assert_eq!(Answer::of(later).await.status, 201);
}

#[tokio::test]
async fn who_left_and_queued_again_buys_with_the_new_place() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let mut buyer = buyer(&fixture, &sale).await;
    for seat in ["A-1", "A-2", "A-3"] {
        let id = booked(&fixture, &buyer, &sale, &[seat]).await.booking_id();
        let place = Place::from_bytes(encoding::random());
        let token = fixture.admit_at(&sale.drop, &buyer.fan.visitor, place);
        let new = Buyer { fan: buyer.fan, token, place };
        assert_eq!(checkout(&fixture, &new, &named(&sale, &["A-4"])).await.told(), (403, "place-bound"));
        if seat == "A-2" {
            // by the word of Postgres
            sqlx::query("INSERT INTO ended_places (drop_id, place, reason) VALUES ($1, $2, 'left')")
                .bind(sale.drop.as_str())
                .bind(buyer.place.to_string())
                .execute(&fixture.world.pool)
                .await
                .unwrap();
        } else {
            // by the word of Redis, which Postgres has not heard
            fixture.app.line.give_up(&sale.drop, buyer.place).await.unwrap();
        }
        let open = checkout(&fixture, &new, &named(&sale, &["A-4"])).await;
        assert_eq!(open.told(), (403, "place-bound"), "the older place has an open booking");
        cancel(&fixture, &new.fan, id).await;
        buyer = new;
    }
    booked(&fixture, &buyer, &sale, &["A-4"]).await;
}

#[tokio::test]
async fn nothing_is_held_that_could_never_be_paid() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    for price in [99_999_999_i64, i64::MAX, 0] {
        sqlx::query("UPDATE tickets SET price = $1").bind(price).execute(&fixture.world.pool).await.unwrap();
        for wish in [named(&sale, &["A-1", "A-2"]), best(&sale, 2)] {
            assert_eq!(checkout(&fixture, &buyer, &wish).await.told(), (422, "quantity"), "{price}");
        }
    }
    sqlx::query("UPDATE tickets SET price = 1000").execute(&fixture.world.pool).await.unwrap();
    nothing_is_lost(&fixture, &buyer, &sale).await;
}

#[tokio::test]
async fn an_account_may_not_hammer_the_provider() {
    let fixture = still_with(json!({ "limits": { "confirm": { "per_minute": 1, "burst": 1 } } })).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let first = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let second = booked(&fixture, &two, &sale, &["A-2"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, first, None).await.status, 202);
    assert_eq!(confirm(&fixture, &one.fan, first, None).await.told(), (429, "rate-limited"));
    assert_eq!(confirm(&fixture, &two.fan, second, None).await.status, 202);
}

#[tokio::test]
async fn a_place_that_left_the_line_is_refused() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    sqlx::query("INSERT INTO ended_places (drop_id, place, reason) VALUES ($1, $2, 'left')")
        .bind(sale.drop.as_str())
        .bind(buyer.place.to_string())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    assert_eq!(checkout(&fixture, &buyer, &named(&sale, &["A-1"])).await.told(), (403, "place-ended"));
    assert_eq!(live_claims(&fixture).await, 0);
}

#[tokio::test]
async fn what_is_asked_must_be_on_sale_here() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let another = fixture.on_sale(1, 5).await;
    let dropless = fixture.event(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let ask = |event: Uuid, seats: &[&str]| {
        let body = json!({ "event_id": event, "seats": seats });
        Answer::of(fixture.post(&buyer.fan, "/booking/checkout", Some(&buyer.token), &body))
    };
    assert_eq!(ask(Uuid::now_v7(), &["A-1"]).await.told(), (404, "event"));
    assert_eq!(ask(dropless, &["A-1"]).await.told(), (409, "not-on-sale"));
    assert_eq!(ask(another.event_id, &["A-1"]).await.told(), (403, "admission-wrong-drop"));
    let elsewhere = ask(sale.event_id, &["A-1", "A-5"]).await;
    assert_eq!(elsewhere.told(), (422, "ticket-of-another-event"));
    assert_eq!(elsewhere.body["seats"], json!(["A-5"]));
    nothing_is_lost(&fixture, &buyer, &sale).await;

    // an ended drop admits nobody, and still serves whom it let in
    let inside = self::buyer(&fixture, &another).await;
    drops::end(&fixture.world.pool, &fixture.app.line, &another.drop, "test").await.unwrap();
    booked(&fixture, &inside, &another, &["A-1"]).await;
}

#[tokio::test]
async fn how_it_is_asked_must_be_right() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let event = sale.event_id;
    let many: Vec<String> = (0..500).map(|seat| format!("A-{seat}")).collect();
    let cases = [
        (json!({ "event_id": event, "seats": [] }), 422, "quantity"),
        (json!({ "event_id": event, "seats": many }), 422, "quantity"),
        (best(&sale, 0), 422, "quantity"),
        (best(&sale, 500), 422, "quantity"),
        (best(&sale, -1), 422, "quantity"),
        (json!({ "event_id": event, "seats": ["A-1", "A-1"] }), 422, "wrong-type"),
        (json!({ "event_id": event }), 422, "wrong-type"),
        (json!({ "event_id": event, "seats": ["A-1"], "best_available": { "quantity": 1 } }), 422, "wrong-type"),
        (json!({ "event_id": event, "seats": "A-1" }), 422, "wrong-type"),
        (json!({ "event_id": 7, "seats": ["A-1"] }), 422, "wrong-type"),
        (json!({ "event_id": event, "best_available": { "quantity": 1.5 } }), 422, "wrong-type"),
        (json!({ "event_id": event, "seats": ["A-1"], "price": 1 }), 422, "unknown-field"),
        (json!({ "event_id": event, "best_available": { "quantity": 1, "row": "A" } }), 422, "unknown-field"),
        (json!({ "event_id": event, "seats": ["A".repeat(1 << 20)] }), 413, "too-large"),
    ];
    for (body, status, slug) in cases {
        let answer = checkout(&fixture, &buyer, &body).await;
        let shown = body.to_string();
        assert_eq!(answer.told(), (status, slug), "{}", &shown[..shown.len().min(120)]);
    }

    let cut = fixture.post(&buyer.fan, "/booking/checkout", Some(&buyer.token), &json!({})).body("{");
    assert_eq!(Answer::of(cut).await.told(), (400, "malformed"));

    let keyless = fixture
        .http
        .post(format!("{}/booking/checkout", fixture.url))
        .bearer_auth(&buyer.fan.session)
        .header("Onsale-Admission", &buyer.token)
        .header("Onsale-Visitor", buyer.fan.visitor.expose())
        .json(&named(&sale, &["A-1"]));
    assert_eq!(Answer::of(keyless).await.told(), (400, "idempotency-key-missing"));
    nothing_is_lost(&fixture, &buyer, &sale).await;
}

#[tokio::test]
async fn a_fan_has_a_limit_in_a_drop() {
    let fixture = still().await;
    let sale = fixture.on_sale(2, 4).await;
    sqlx::query("UPDATE drops SET max_per_fan = 3 WHERE drop_id = $1")
        .bind(sale.drop.as_str())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    let buyer = buyer(&fixture, &sale).await;
    assert_eq!(checkout(&fixture, &buyer, &best(&sale, 4)).await.told(), (409, "limit"));
    assert_eq!(live_claims(&fixture).await, 0, "and the seats are free");

    let id = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    // a second place after the first has bought
    let token = fixture.admit(&sale.drop, &buyer.fan.visitor);
    let ask =
        |seats: &[&str]| Answer::of(fixture.post(&buyer.fan, "/booking/checkout", Some(&token), &named(&sale, seats)));
    assert_eq!(ask(&["A-3", "A-4"]).await.told(), (409, "limit"));
    let last = ask(&["A-3"]).await;
    assert_eq!(last.status, 201);
    cancel(&fixture, &buyer.fan, last.booking_id()).await;
    assert_eq!(ask(&["A-4"]).await.status, 201, "what is given up counts no more");
}

#[tokio::test]
async fn a_booking_is_its_fans_business() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (owner, other) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &owner, &sale, &["A-1"]).await.booking_id();

    for booking_id in [id, Uuid::now_v7()] {
        let answer = confirm(&fixture, &other.fan, booking_id, Some("pm_card_visa")).await;
        assert_eq!(answer.told(), (404, "booking"));
        assert_eq!(look(&fixture, &other.fan, booking_id).await.told(), (404, "booking"));
        assert_eq!(cancel(&fixture, &other.fan, booking_id).await.told(), (404, "booking"));
    }
    let nonsense = Answer::of(fixture.get(&owner.fan, "/booking/nonsense")).await;
    assert_eq!(nonsense.told(), (404, "booking"));
    let wrong = json!({ "booking_id": id, "amount": 1 });
    let wrong = Answer::of(fixture.post(&owner.fan, "/booking/confirm", None, &wrong)).await;
    assert_eq!(wrong.told(), (422, "unknown-field"));
    assert_eq!(intent_status(&fixture, id).await, "requires_payment_method");
    assert_eq!(look(&fixture, &owner.fan, id).await.body["status"], "pending");
}

#[tokio::test]
async fn a_token_of_another_drop_is_refused() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let nowhere = DropId::parse("another-drop").unwrap();
    let token = fixture.admit(&nowhere, &buyer.fan.visitor);
    let ask = fixture.post(&buyer.fan, "/booking/checkout", Some(&token), &named(&sale, &["A-1"]));
    assert_eq!(Answer::of(ask).await.told(), (403, "admission-wrong-drop"));
    nothing_is_lost(&fixture, &buyer, &sale).await;
}

#[tokio::test]
async fn an_address_may_not_hammer() {
    let fixture = still_with(json!({ "limits": { "checkout": { "per_minute": 1, "burst": 1 } } })).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    booked(&fixture, &buyer, &sale, &["A-1"]).await;
    let request = fixture.post(&buyer.fan, "/booking/checkout", Some(&buyer.token), &named(&sale, &["A-2"]));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
}
