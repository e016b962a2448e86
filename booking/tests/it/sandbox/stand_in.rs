//! Our client against any server that speaks Stripe's API: it must rely on nothing of ours. The walk below is made at the
//! sandbox in every run, and by hand at somebody else's stand-in:
//!
//! ```sh
//! STRIPE_STAND_IN_URL=http://127.0.0.1:8420 STRIPE_STAND_IN_LACKS=confirm,list \
//!     cargo test -p booking --test it -- --ignored --nocapture another_stand_in
//! ```

use booking::payments::{Intent, IntentStatus, NewIntent, RefundStatus, Stripe};
use jiff::SignedDuration;
use serde_json::Value;
use shared::clock::Clock;
use uuid::Uuid;

use super::{
    PRICE,
    bank::{self, Bank},
};

const RETURN_URL: &str = "http://shop.test/back";

struct Walk {
    stripe: Stripe,
    url: String,
    key: String,
    /// Calls that the server does not know.
    lacks: Vec<String>,
}

impl Walk {
    fn at(url: &str, key: &str, lacks: &str) -> Self {
        let stripe = Stripe::new(url.parse().expect("an address"), key.into()).expect("a client");
        let lacks = lacks.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { stripe, url: url.trim_end_matches('/').to_owned(), key: key.to_owned(), lacks }
    }

    fn has(&self, call: &str) -> bool {
        let has = !self.lacks.iter().any(|name| name == call);
        println!("{call}: {}", if has { "passed" } else { "not known there" });
        has
    }

    async fn created(&self) -> Intent {
        let new = NewIntent {
            amount: PRICE,
            currency: "USD".to_owned(),
            booking_id: Uuid::now_v7(),
            attempt_id: Uuid::now_v7(),
            origin: "http://shop.test".to_owned(),
        };
        let intent = self.stripe.create_intent(&new, &new.attempt_id.to_string()).await.expect("made");
        assert_eq!(intent.status, IntentStatus::RequiresPaymentMethod);
        assert_eq!((intent.amount, intent.currency.as_str()), (PRICE, "usd"));
        assert_eq!((intent.booking_id(), intent.attempt_id()), (Some(new.booking_id), Some(new.attempt_id)));
        assert!(intent.client_secret.is_some());
        intent
    }

    /// Authorised through our client, or else past it, as Stripe's script in a payer's browser does.
    async fn authorised(&self) -> String {
        let id = self.created().await.id;
        if self.lacks.iter().any(|name| name == "confirm") {
            let card = [
                ("type", "card"),
                ("card[number]", "4242424242424242"),
                ("card[exp_month]", "12"),
                ("card[exp_year]", "2034"),
                ("card[cvc]", "123"),
            ];
            let card = self.post("payment_methods", &card).await["id"].as_str().expect("an id").to_owned();
            self.post(&format!("payment_intents/{id}"), &[("payment_method", &card)]).await;
            self.post(&format!("payment_intents/{id}/confirm"), &[]).await;
        } else {
            let confirmed = self.stripe.confirm(&id, "pm_card_visa", RETURN_URL).await.expect("authorised");
            assert_eq!(confirmed.status, IntentStatus::RequiresCapture);
        }
        let fetched = self.stripe.fetch(&id).await.expect("there");
        assert_eq!((fetched.status, fetched.refunded()), (IntentStatus::RequiresCapture, 0));
        id
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.post(format!("{}/v1/{path}", self.url)).bearer_auth(&self.key).form(form);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {:?}", answer.text().await);
        answer.json().await.expect("JSON")
    }

    async fn make(&self) {
        let made = self.created().await;
        self.has("create");
        assert_eq!(self.stripe.fetch(&made.id).await.expect("there").id, made.id);
        self.has("fetch");

        let captured = self.authorised().await;
        self.has("confirm");
        let intent = self.stripe.capture(&captured, &Uuid::new_v4().to_string()).await.expect("captured");
        assert_eq!(intent.status, IntentStatus::Succeeded);
        self.has("capture");
        let intent = self.stripe.fetch(&captured).await.expect("there");
        if self.has("amount_received") {
            assert_eq!(intent.amount_received, PRICE);
        }
        let refund = self.stripe.refund(&captured, &Uuid::new_v4().to_string()).await.expect("refunded");
        assert_eq!(refund.status, RefundStatus::Succeeded);
        assert_eq!(self.stripe.fetch(&captured).await.expect("there").refunded(), PRICE);
        self.has("refund");

        let cancelled = self.authorised().await;
        let intent = self.stripe.cancel(&cancelled, &Uuid::new_v4().to_string()).await.expect("cancelled");
        assert_eq!(intent.status, IntentStatus::Canceled);
        assert_eq!(self.stripe.fetch(&cancelled).await.expect("there").status, IntentStatus::Canceled);
        self.has("cancel");

        if self.has("list") {
            let now = Clock::system().now();
            let (from, to) = (now - SignedDuration::from_hours(1), now + SignedDuration::from_hours(1));
            let page = self.stripe.list(from, to, None).await.expect("listed");
            let ids: Vec<&str> = page.data.iter().take(3).map(|intent| intent.id.as_str()).collect();
            assert_eq!(ids, [&cancelled, &captured, &made.id], "newest first");
            assert_eq!(page.data[1].refunded(), PRICE);
            let rest = self.stripe.list(from, to, Some(&captured)).await.expect("listed");
            assert_eq!(rest.data.first().map(|intent| &intent.id), Some(&made.id));
        }
    }
}

#[tokio::test]
async fn the_walk_at_the_sandbox() {
    let bank = Bank::start().await;
    Walk::at(&bank.url, bank::SECRET_KEY, "").make().await;
}

#[tokio::test]
#[ignore = "wants somebody else's server: STRIPE_STAND_IN_URL"]
async fn the_walk_at_another_stand_in() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let url = variable("STRIPE_STAND_IN_URL");
    assert!(!url.is_empty(), "STRIPE_STAND_IN_URL is not set");
    let key = std::env::var("STRIPE_STAND_IN_KEY").unwrap_or_else(|_| "sk_test_stand_in".to_owned());
    Walk::at(&url, &key, &variable("STRIPE_STAND_IN_LACKS")).make().await;
}
