//! A fan in the shop, with the patience of a browser: what got no answer is asked again under the same key.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use admission::ids::{Place, VisitorSecret};
use loadtest::audit::Told;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use shared::encoding;
use tokio::time::Instant;
use uuid::Uuid;

use super::shop::{PUBLISHABLE_KEY, Shop};

pub(crate) const CARD: &str = "pm_card_visa";
pub(crate) const SECURE_CARD: &str = "pm_card_threeDSecure2Required";
pub(crate) const DECLINED_CARD: &str = "pm_card_chargeDeclined";
/// Authorised, and refused when the money is to be taken.
pub(crate) const HOLLOW_CARD: &str = "pm_onsale_captureDeclined";
/// Takes the money at once, whatever was agreed.
pub(crate) const HASTY_CARD: &str = "pm_onsale_capturesAtOnce";

/// One answer may take so long.
const ANSWER: Duration = Duration::from_secs(40);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Buyer {
    http: Client,
    urls: Vec<String>,
    /// Which booking process is asked next.
    turn: AtomicUsize,
    provider_url: String,
    pub(crate) event_id: Uuid,
    pub(crate) user_id: Uuid,
    session: String,
    visitor: VisitorSecret,
    admission: String,
    /// How long one thing is tried.
    patience: Duration,
    /// Answers of booking that say it failed, and not its surroundings.
    pub(crate) failures: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Byte for byte.
    pub(crate) text: String,
}

impl Answer {
    /// The last part of a problem's type.
    pub(crate) fn slug(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/")).unwrap_or_default()
    }

    pub(crate) fn booking_id(&self) -> Option<Uuid> {
        self.body["booking_id"].as_str().and_then(|id| id.parse().ok())
    }

    /// The intent, by the secret that lets a browser pay it.
    pub(crate) fn intent(&self) -> Option<(&str, &str)> {
        let secret = self.body["payment"]["client_secret"].as_str()?;
        Some((secret.split_once("_secret_")?.0, secret))
    }
}

impl Buyer {
    /// A new account and a place nobody had before.
    pub(crate) async fn register(shop: &Shop, patience: Duration) -> Self {
        let http = Client::builder().no_proxy().timeout(ANSWER).build().expect("a client");
        let visitor = VisitorSecret::generate();
        let mut buyer = Self {
            http,
            urls: shop.urls.clone(),
            turn: AtomicUsize::new(usize::from(encoding::random::<1>()[0])),
            provider_url: shop.provider_url.clone(),
            event_id: shop.event_id,
            user_id: Uuid::nil(),
            session: String::new(),
            admission: shop.admit(&visitor, Place::from_bytes(encoding::random())),
            visitor,
            patience,
            failures: AtomicU32::new(0),
        };
        let email = format!("{}@fans.example", encoding::hex(&encoding::random::<8>()));
        let account = json!({ "username": "fan", "email": email, "password": "correct horse battery" });
        let url = format!("{}/accounts", buyer.urls[0]);
        let answer = buyer.http.post(url).json(&account).send().await.expect("booking answers");
        assert_eq!(answer.status(), 201);
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let mut sessions = cookies.filter_map(|cookie| cookie.strip_prefix("__Host-onsale-session="));
        buyer.session = sessions.next().and_then(|rest| rest.split(';').next()).expect("signed in").to_owned();
        let body: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
        buyer.user_id = body["user_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        buyer
    }

    /// Another tab of the same browser.
    pub(crate) fn other_tab(&self) -> Self {
        Self {
            http: self.http.clone(),
            urls: self.urls.clone(),
            turn: AtomicUsize::new(self.turn.load(Ordering::Relaxed) + 1),
            provider_url: self.provider_url.clone(),
            event_id: self.event_id,
            user_id: self.user_id,
            session: self.session.clone(),
            visitor: VisitorSecret::parse(&self.visitor.expose()).expect("a secret"),
            admission: self.admission.clone(),
            patience: self.patience,
            failures: AtomicU32::new(0),
        }
    }

    pub(crate) fn named(&self, seats: &[String]) -> Value {
        json!({ "event_id": self.event_id, "seats": seats })
    }

    pub(crate) fn best(&self, quantity: usize) -> Value {
        json!({ "event_id": self.event_id, "best_available": { "quantity": quantity } })
    }

    /// Until there is an answer that counts.
    pub(crate) async fn checkout(&self, wish: &Value, key: &str) -> Option<Answer> {
        self.insist(|| self.try_checkout(wish, key)).await
    }

    /// Once; `None` when the connection broke.
    pub(crate) async fn try_checkout(&self, wish: &Value, key: &str) -> Option<Answer> {
        self.ask(Method::POST, "/booking/checkout", key, wish).await
    }

    pub(crate) async fn confirm(&self, booking: Uuid, card: Option<&str>, key: &str) -> Option<Answer> {
        self.insist(|| self.try_confirm(booking, card, key)).await
    }

    pub(crate) async fn try_confirm(&self, booking: Uuid, card: Option<&str>, key: &str) -> Option<Answer> {
        let body = match card {
            Some(card) => json!({ "booking_id": booking, "payment_method": card }),
            None => json!({ "booking_id": booking }),
        };
        self.ask(Method::POST, "/booking/confirm", key, &body).await
    }

    pub(crate) async fn cancel(&self, booking: Uuid) -> Option<Answer> {
        self.insist(|| self.try_cancel(booking)).await
    }

    pub(crate) async fn try_cancel(&self, booking: Uuid) -> Option<Answer> {
        self.ask(Method::POST, &format!("/booking/{booking}/cancel"), "cancel", &Value::Null).await
    }

    pub(crate) async fn look(&self, booking: Uuid) -> Option<Answer> {
        let path = format!("/booking/{booking}");
        self.insist(|| self.ask(Method::GET, &path, "", &Value::Null)).await
    }

    /// What this fan was told it owns, from the booking's document.
    pub(crate) fn told(&self, document: &Value) -> Told {
        let seats = document["tickets"].as_array().into_iter().flatten();
        Told {
            booking_id: document["booking_id"].as_str().and_then(|id| id.parse().ok()).expect("an id"),
            event_id: self.event_id,
            seats: seats.map(|ticket| ticket["seat"].as_str().expect("a seat").to_owned()).collect(),
            total: document["total"]["amount"].as_i64().expect("an amount"),
            currency: document["total"]["currency"].as_str().expect("a currency").to_owned(),
        }
    }

    /// Pays as the provider's script in a browser does, past the shop.
    pub(crate) async fn pay_at_provider(&self, intent: &str, secret: &str, card: &str) -> Option<Answer> {
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.provider_url);
        let form = [("client_secret", secret), ("payment_method", card)];
        self.insist(|| read(self.http.post(&url).bearer_auth(PUBLISHABLE_KEY).form(&form))).await
    }

    /// Says yes on the bank's page.
    pub(crate) async fn approve(&self, intent: &str) {
        let url = format!("{}/sandbox/3ds/{intent}", self.provider_url);
        self.insist(|| read(self.http.post(&url).form(&[("outcome", "approve")]))).await;
    }

    /// Asks again for as long as nobody has answered, or the answer says so.
    async fn insist<F: Future<Output = Option<Answer>>>(&self, mut ask: impl FnMut() -> F) -> Option<Answer> {
        let began = Instant::now();
        loop {
            let answer = ask().await;
            let again = match &answer {
                None => true,
                Some(answer) => {
                    answer.status >= 500 || answer.status == 429 || (answer.status, answer.slug()) == (409, "in-flight")
                }
            };
            if !again {
                return answer;
            }
            if began.elapsed() > self.patience {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Of one process after the other, as a proxy would.
    async fn ask(&self, method: Method, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let url = &self.urls[self.turn.fetch_add(1, Ordering::Relaxed) % self.urls.len()];
        let mut request = self
            .http
            .request(method, format!("{url}{path}"))
            .bearer_auth(&self.session)
            .header("onsale-visitor", self.visitor.expose())
            .header("onsale-admission", &self.admission);
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = read(request).await;
        self.failures
            .fetch_add(u32::from(answer.as_ref().is_some_and(|answer| answer.status == 500)), Ordering::Relaxed);
        answer
    }
}

async fn read(request: reqwest::RequestBuilder) -> Option<Answer> {
    let answer = request.send().await.ok()?;
    let (status, text) = (answer.status().as_u16(), answer.text().await.ok()?);
    Some(Answer { status, body: serde_json::from_str(&text).unwrap_or_default(), text })
}
