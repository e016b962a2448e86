//! A fan with an HTTP client: enough to queue and to listen.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use shared::encoding;

pub(crate) struct Fan {
    client: Client,
    url: String,
    visitor: String,
}

impl Fan {
    pub(crate) fn new(url: &str) -> Self {
        Self { client: Client::new(), url: url.to_owned(), visitor: encoding::base64url(&encoding::random::<32>()) }
    }

    pub(crate) async fn join(&self, drop: &str) -> (StatusCode, Value) {
        self.ask(&format!("/queue/{drop}/join"), &[], &json!({})).await
    }

    /// Takes the admission, or gets in line for it.
    pub(crate) async fn claim(&self, drop: &str) -> (StatusCode, Value) {
        self.ask(&format!("/queue/{drop}/claim"), &[], &json!({})).await
    }

    pub(crate) async fn leave(&self, drop: &str) -> StatusCode {
        self.ask(&format!("/queue/{drop}/leave"), &[], &json!({})).await.0
    }

    /// Buys `quantity` tickets of an event with this admission, by a new account.
    pub(crate) async fn buy(&self, admission: &str, event: &str, quantity: u32) {
        let email = format!("{}@fans.example", encoding::hex(&encoding::random::<8>()));
        let account = json!({ "username": email, "email": email, "password": self.visitor });
        assert_eq!(self.ask("/accounts", &[], &account).await.0, StatusCode::CREATED);
        let (status, session) = self.ask("/sessions", &[], &account_only(&account)).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        let bearer = format!("Bearer {}", session["token"].as_str().expect("a token"));
        let headers =
            |key| [("authorization", bearer.as_str()), ("onsale-admission", admission), ("idempotency-key", key)];
        let wanted = json!({ "event_id": event, "best_available": { "quantity": quantity } });
        let (status, booking) = self.ask("/booking/checkout", &headers("checkout"), &wanted).await;
        assert_eq!(status, StatusCode::CREATED, "{booking}");
        let card = json!({ "booking_id": booking["booking_id"], "payment_method": "pm_card_visa" });
        let (status, paid) = self.ask("/booking/confirm", &headers("confirm"), &card).await;
        assert_eq!((status, &paid["status"]), (StatusCode::OK, &"completed".into()), "{paid}");
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
        let mut request = self.client.post(format!("{}{path}", self.url)).header("onsale-visitor", &self.visitor);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.json(body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        if text.is_empty() {
            return (status, Value::Null);
        }
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {status} {text}")))
    }

    /// Opens the stream of one's place.
    pub(crate) async fn listen(&self, drop: &str, pass: &str, query: &str) -> Stream {
        let answer = self
            .client
            .get(format!("{}/queue/{drop}/events{query}", self.url))
            .header("onsale-visitor", &self.visitor)
            .header("onsale-pass", pass)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Stream { answer, read: String::new() }
    }
}

/// What signing in takes of an account.
fn account_only(account: &Value) -> Value {
    json!({ "email": account["email"], "password": account["password"] })
}

/// Server-sent events, one frame at a time.
pub(crate) struct Stream {
    answer: Response,
    read: String,
}

impl Stream {
    /// The next frame of this name, and its data.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let frame: String = self.read.drain(..end + 2).collect();
                let field = |key: &str| {
                    frame.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_start().to_owned())
                };
                if field("event:").as_deref() == Some(name) {
                    let data = field("data:").unwrap_or_default();
                    return serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error} in {frame}"));
                }
            }
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), self.answer.chunk()).await;
            match chunk.unwrap_or_else(|_| panic!("no {name} frame within 30 s")) {
                Ok(Some(bytes)) => self.read.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("the stream ended before {name}: {other:?}"),
            }
        }
    }
}
