//! The money path over real Redis, Postgres and HTTP: what a fan is told, then what the books say.

mod batch;
pub(crate) mod best_available;
mod expiry;
mod extend;
mod faults;
mod fees;
mod giving_up;
mod guards;
mod hint;
mod late;
mod leases;
mod mail;
mod missing;
mod money;
mod once;
mod path;
pub(crate) mod provider;
mod race;
mod reconcile;
mod refund;
mod refusals;
mod retry;
mod stock;
mod voiding;
mod webhooks;

use std::time::Duration;

use admission::ids::{Place, VisitorSecret};
use booking::purchase::outbox::{self, Queue};
use serde_json::{Value, json};
use shared::encoding;
use shared::lifecycle::Lifecycle;
use uuid::Uuid;

use crate::fixture::{Fan, Fixture, SEAT_PRICE, SECRET_KEY, Sale};

/// A fan with an admission: account, browser and token belong together.
struct Buyer {
    fan: Fan,
    token: String,
    place: Place,
}

/// What a request came to.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("booking answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        Answer { status, body }
    }

    /// Status and, for a problem, its slug.
    fn told(&self) -> (u16, &str) {
        let slug = if self.status < 400 { "" } else { crate::fixture::slug(&self.body) };
        (self.status, slug)
    }

    fn booking_id(&self) -> Uuid {
        self.body["booking_id"].as_str().and_then(|id| id.parse().ok()).expect("a booking's id")
    }

    fn seats(&self) -> Vec<&str> {
        let tickets = self.body["tickets"].as_array().expect("tickets");
        tickets.iter().map(|ticket| ticket["seat"].as_str().expect("a label")).collect()
    }
}

/// A fixture whose background jobs run only when the test says so.
async fn still() -> Fixture {
    still_with(json!({})).await
}

async fn still_with(settings: Value) -> Fixture {
    // jobs of a lifecycle that has stopped never take a step, not even their first
    let stopped = Lifecycle::new();
    stopped.stop();
    Fixture::with_jobs(settings, stopped).await
}

/// A secret the sandbox does not sign with: its webhooks are refused, and nobody is told anything.
fn deaf() -> Value {
    json!({ "stripe": { "webhook_secret": "whsec_another" } })
}

async fn buyer(fixture: &Fixture, sale: &Sale) -> Buyer {
    admitted(fixture, sale, account(fixture).await)
}

/// An account without the password hash that registering costs: a crowd is made in no time.
async fn account(fixture: &Fixture) -> Fan {
    let user_id = Uuid::now_v7();
    sqlx::query("INSERT INTO users (user_id, username, password, email, email_index) VALUES ($1, 'fan', '', '', $2)")
        .bind(user_id)
        .bind(user_id.as_bytes().as_slice())
        .execute(&fixture.world.pool)
        .await
        .expect("an account");
    let tomorrow = fixture.clock.now() + seconds(86_400);
    Fan {
        user_id,
        email: String::new(),
        session: fixture.app.sessions.issue(user_id, tomorrow),
        visitor: VisitorSecret::generate(),
    }
}

fn admitted(fixture: &Fixture, sale: &Sale, fan: Fan) -> Buyer {
    let place = Place::from_bytes(encoding::random());
    let token = fixture.admit_at(&sale.drop, &fan.visitor, place);
    Buyer { fan, token, place }
}

async fn checkout(fixture: &Fixture, buyer: &Buyer, body: &Value) -> Answer {
    Answer::of(fixture.post(&buyer.fan, "/booking/checkout", Some(&buyer.token), body)).await
}

fn named(sale: &Sale, seats: &[&str]) -> Value {
    json!({ "event_id": sale.event_id, "seats": seats })
}

fn best(sale: &Sale, quantity: i64) -> Value {
    json!({ "event_id": sale.event_id, "best_available": { "quantity": quantity } })
}

/// A booking that is made, not paid.
async fn booked(fixture: &Fixture, buyer: &Buyer, sale: &Sale, seats: &[&str]) -> Answer {
    let answer = checkout(fixture, buyer, &named(sale, seats)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

async fn confirm(fixture: &Fixture, fan: &Fan, booking_id: Uuid, payment_method: Option<&str>) -> Answer {
    let mut body = json!({ "booking_id": booking_id });
    if let Some(payment_method) = payment_method {
        body["payment_method"] = json!(payment_method);
    }
    Answer::of(fixture.post(fan, "/booking/confirm", None, &body)).await
}

async fn look(fixture: &Fixture, fan: &Fan, booking_id: Uuid) -> Answer {
    Answer::of(fixture.get(fan, &format!("/booking/{booking_id}"))).await
}

async fn cancel(fixture: &Fixture, fan: &Fan, booking_id: Uuid) -> Answer {
    Answer::of(fixture.post(fan, &format!("/booking/{booking_id}/cancel"), None, &json!({}))).await
}

/// What the fan's browser does with the provider's script: authorise behind our back.
async fn authorise_in_browser(fixture: &Fixture, booking: &Answer, payment_method: &str) {
    let client_secret = booking.body["payment"]["client_secret"].as_str().expect("a client secret");
    let intent_id = client_secret.split("_secret").next().expect("an intent's id");
    let response = fixture
        .http
        .post(format!("{}/v1/payment_intents/{intent_id}/confirm", fixture.sandbox_url))
        .bearer_auth(booking.body["payment"]["publishable_key"].as_str().expect("a key"))
        .form(&[
            ("client_secret", client_secret),
            ("payment_method", payment_method),
            ("return_url", "http://fan.test/"),
        ])
        .send()
        .await
        .expect("the sandbox answers");
    assert_eq!(response.status(), 200);
}

/// Does what the outbox holds until it rests.
async fn drain_outbox(fixture: &Fixture) {
    for _ in 0..10 {
        let mut jobs = 0;
        for queue in [Queue::Deeds, Queue::Mails] {
            jobs += outbox::do_once(&fixture.app, queue).await.expect("the outbox");
        }
        if jobs == 0 {
            return;
        }
    }
}

/// The provider's word on a booking's only intent.
async fn intent_status(fixture: &Fixture, booking_id: Uuid) -> String {
    let intents = fixture.intents().await;
    let mine: Vec<&Value> =
        intents.iter().filter(|intent| intent["metadata"]["booking_id"] == booking_id.to_string()).collect();
    assert_eq!(mine.len(), 1, "one intent a booking");
    mine[0]["status"].as_str().expect("a status").to_owned()
}

async fn intent_id(fixture: &Fixture, booking_id: Uuid) -> String {
    sqlx::query_scalar("SELECT intent_id FROM payment_attempts WHERE booking_id = $1")
        .bind(booking_id)
        .fetch_one(&fixture.world.pool)
        .await
        .expect("an intent")
}

/// The provider's operator does something to an intent.
async fn at_provider(fixture: &Fixture, intent_id: &str, action: &str) {
    let url = format!("{}/v1/payment_intents/{intent_id}/{action}", fixture.sandbox_url);
    let response = fixture.http.post(url).bearer_auth(SECRET_KEY).send().await.expect("the sandbox answers");
    assert_eq!(response.status(), 200);
}

async fn count(fixture: &Fixture, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&fixture.world.pool).await.expect("a count")
}

async fn live_claims(fixture: &Fixture) -> i64 {
    count(fixture, "SELECT count(*) FROM claims WHERE state IN ('held', 'sold')").await
}

async fn purchased(fixture: &Fixture) -> i64 {
    count(fixture, "SELECT count(*) FROM tickets WHERE status = 'purchased'").await
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
