//! The payment provider as a process of its own: killed at any moment it has what it answered for, and four variables
//! put any provider in the place of the one that `up` brings.

use std::path::Path;

use booking::payments::signature;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use shared::clock::Clock;
use tokio::task::JoinSet;

use crate::support::fan::Fan;
use crate::support::folder;
use crate::support::process::{Server, onsale};
use crate::support::stack::Stack;

const SECRET_KEY: &str = "sk_test_of_another";
const PUBLISHABLE_KEY: &str = "pk_test_of_another";
const WEBHOOK_SECRET: &str = "whsec_of_another";

/// Shops that ask at once while the provider is killed, and how much of it they have done by then.
const SHOPS: usize = 8;
const ANSWERED_BEFORE_THE_KILL: usize = 40;

struct Provider {
    server: Server,
    url: String,
    http: Client,
}

impl Provider {
    async fn start(dir: &Path) -> Self {
        let mut command = onsale();
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"]);
        for (key, value) in [
            ("ledger", dir.join("ledger.jsonl").display().to_string()),
            ("secret_key", SECRET_KEY.to_owned()),
            ("publishable_key", PUBLISHABLE_KEY.to_owned()),
            ("webhook_secret", WEBHOOK_SECRET.to_owned()),
        ] {
            command.arg("--set").arg(format!("sandbox.{key}={value}"));
        }
        let mut server = Server::start(&mut command, &dir.join("sandbox.log"));
        let url = server.ready().await;
        Self { server, url, http: Client::new() }
    }

    async fn intents(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut request = self.http.get(format!("{}/v1/payment_intents?limit=100", self.url));
            if let Some(last) = all.last() {
                request = request.query(&[("starting_after", last["id"].as_str().expect("an id"))]);
            }
            let page = request.bearer_auth(SECRET_KEY).send().await.expect("an answer").text().await.expect("a body");
            let page: Value = serde_json::from_str(&page).expect("JSON");
            all.extend(page["data"].as_array().expect("a list").iter().cloned());
            if page["has_more"] == false {
                return all;
            }
        }
    }
}

/// Makes intents and pays them until nobody answers any more; every answer it got, in order.
async fn pay(http: Client, url: String, told: tokio::sync::mpsc::UnboundedSender<()>) -> Vec<Value> {
    let mut answers: Vec<Value> = Vec::new();
    let ask = async |path: &str, form: &[(&str, &str)]| {
        let request = http.post(format!("{url}/v1/payment_intents{path}")).bearer_auth(SECRET_KEY).form(form);
        let text = request.send().await.ok()?.text().await.ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        assert!(answer["error"].is_null(), "{answer}");
        told.send(()).expect("the test listens");
        Some(answer)
    };
    loop {
        let new = [("amount", "500"), ("currency", "usd"), ("capture_method", "manual")];
        let Some(made) = ask("", &new).await else { return answers };
        let id = made["id"].as_str().expect("an id").to_owned();
        answers.push(made);
        let steps: [(&str, &[(&str, &str)]); 2] =
            [("confirm", &[("payment_method", "pm_card_visa")]), ("capture", &[])];
        for (step, form) in steps {
            let Some(answer) = ask(&format!("/{id}/{step}"), form).await else { return answers };
            answers.pop();
            answers.push(answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_provider_has_all_it_answered_for() {
    let dir = folder();
    let mut provider = Provider::start(dir.path()).await;
    let (told, mut answered) = tokio::sync::mpsc::unbounded_channel();
    let mut shops = JoinSet::new();
    for _ in 0..SHOPS {
        shops.spawn(pay(provider.http.clone(), provider.url.clone(), told.clone()));
    }
    for _ in 0..ANSWERED_BEFORE_THE_KILL {
        answered.recv().await.expect("an answer");
    }
    provider.server.signal("KILL").await;
    provider.server.ended().await;
    let answers: Vec<Value> = shops.join_all().await.into_iter().flatten().collect();
    assert!(answers.len() >= ANSWERED_BEFORE_THE_KILL / 3, "{}", answers.len());

    let provider = Provider::start(dir.path()).await;
    let intents = provider.intents().await;
    let order = ["requires_payment_method", "requires_capture", "succeeded"];
    let progress = |intent: &Value| order.iter().position(|status| intent["status"] == *status);
    for answer in &answers {
        let kept = intents.iter().find(|intent| intent["id"] == answer["id"]);
        let kept = kept.unwrap_or_else(|| panic!("{answer} is lost"));
        // the step after the last answered one may have been done as well
        assert!(progress(kept) >= progress(answer), "{kept} after {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_variables_put_another_provider_in_the_sandboxs_place() {
    let dir = folder();
    let provider = Provider::start(dir.path()).await;
    let environment = [
        ("STRIPE_API_BASE", provider.url.as_str()),
        ("STRIPE_SECRET_KEY", SECRET_KEY),
        ("STRIPE_PUBLISHABLE_KEY", PUBLISHABLE_KEY),
        ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ];
    let stack = Stack::start_with(folder(), &[], &environment).await;

    // no sandbox of its own
    let file = stack.file();
    assert_eq!((&file["provider_url"], &file["provider_key"]), (&Value::Null, &Value::Null));
    assert!(!stack.dir.path().join("sandbox.jsonl").exists());
    let page = reqwest::get(format!("{}/sandbox/3ds/pi_1", stack.url)).await.expect("an answer");
    assert!(page.text().await.expect("a body").contains("/problems/not-found"));

    // what is bought is paid there
    let event = stack.event().await;
    let drop = ["drop", "create", "an-evening", "--event", &event, "--rate-per-minute", "6000"];
    stack.tool(&drop).await.ok();
    stack.tool(&["drop", "open", "an-evening"]).await.ok();
    let fan = Fan::new(&stack.url);
    let (_, place) = fan.join("an-evening").await;
    let mut stream = fan.listen("an-evening", place["pass"].as_str().expect("a pass"), "?claim=auto").await;
    let admitted = stream.next("admitted").await;
    fan.buy(admitted["admission"]["token"].as_str().expect("a token"), &event, 2).await;
    let intents = provider.intents().await;
    assert_eq!((intents.len(), &intents[0]["metadata"]["booking_id"].is_string()), (1, &true), "{intents:?}");

    // and its webhooks are believed, nobody else's
    let body = json!({ "id": "evt_1", "type": "payment_intent.created", "data": { "object": { "id": "pi_1" } } });
    let body = body.to_string();
    for (secret, status) in [(WEBHOOK_SECRET, StatusCode::OK), ("whsec_of_nobody", StatusCode::BAD_REQUEST)] {
        let signature = signature::sign(secret, body.as_bytes(), Clock::system().now());
        let request = Client::new().post(format!("{}/payments/stripe/webhook", stack.url)).body(body.clone());
        let answer = request.header("stripe-signature", signature).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{secret}");
    }
}
