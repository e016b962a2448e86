//! A sandbox of its own behind a listener, and short ways to talk to it.

use std::{path::PathBuf, time::Duration};

use booking::sandbox::{self, Settings};
use serde_json::{Value, json};
use shared::{clock::Clock, lifecycle::Lifecycle};

use crate::fixture;

pub(crate) const SECRET_KEY: &str = "sk_test_bank";
pub(crate) const PUBLISHABLE_KEY: &str = "pk_test_bank";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_bank";

pub(crate) struct Bank {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) ledger: PathBuf,
    lifecycle: Lifecycle,
    folder: tempfile::TempDir,
    options: Options,
}

/// What most tests leave out.
#[derive(Clone)]
pub(crate) struct Options {
    /// Where events go.
    pub(crate) webhook_url: Option<String>,
    /// The origin of the bank's page, for whoever pays.
    pub(crate) public_url: Option<String>,
    pub(crate) faults: Option<PathBuf>,
    pub(crate) clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { webhook_url: None, public_url: None, faults: None, clock: Clock::system() }
    }
}

impl Bank {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default())
    }

    /// Sends its events to `webhook_url`.
    pub(crate) async fn telling(webhook_url: Option<String>) -> Self {
        Self::with(Options { webhook_url, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), options)
    }

    fn over(folder: tempfile::TempDir, options: Options) -> Self {
        let lifecycle = Lifecycle::new();
        let ledger = folder.path().join("ledger.jsonl");
        let settings = Settings {
            ledger: ledger.clone(),
            secret_key: SECRET_KEY.into(),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            webhook_secret: WEBHOOK_SECRET.into(),
            webhook_url: options.webhook_url.clone(),
            public_url: options.public_url.clone(),
            faults: options.faults.clone(),
        };
        let site = shared::testing::site(vec![booking::assets()]);
        let router =
            sandbox::build(settings, &site, options.clock.clone(), lifecycle.clone()).expect("starts").together();
        let listener = fixture::listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        fixture::serve(listener, router, &lifecycle);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { url, http, ledger, lifecycle, folder, options }
    }

    /// Stops, lets `meanwhile` at the ledger, and starts again.
    pub(crate) async fn restart(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        self.lifecycle.stop();
        drop(self.http);
        self.lifecycle.wait(Duration::from_secs(5)).await.expect("stops well");
        meanwhile(&self.ledger);
        Self::over(self.folder, self.options)
    }

    pub(crate) async fn send(&self, path: &str, form: &[(&str, &str)], key: Option<&str>) -> reqwest::Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).bearer_auth(SECRET_KEY).form(form);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await.expect("the sandbox answers")
    }

    /// From now on these rules, and no others, spoil what it does.
    pub(crate) async fn faults(&self, rules: Value) {
        let request = self.http.post(format!("{}/sandbox/faults", self.url)).bearer_auth(SECRET_KEY);
        let answer = request.json(&json!({ "rules": rules })).send().await.expect("the sandbox answers");
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    }

    /// Ends the faults; answers how often each rule fired.
    pub(crate) async fn healed(&self) -> Vec<u64> {
        let request = self.http.delete(format!("{}/sandbox/faults", self.url)).bearer_auth(SECRET_KEY);
        let script: Value = request.send().await.expect("the sandbox answers").json().await.expect("JSON");
        let rules = script["rules"].as_array().expect("rules").iter();
        rules.map(|rule| rule["fired"].as_u64().expect("a count")).collect()
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)], key: Option<&str>) -> (u16, Value) {
        let response = self.send(path, form, key).await;
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(format!("{}{path}", self.url)).bearer_auth(SECRET_KEY).send().await;
        let response = response.expect("the sandbox answers");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    pub(crate) async fn create(&self, amount: i64) -> Value {
        let amount = amount.to_string();
        let form = [
            ("amount", amount.as_str()),
            ("currency", "USD"),
            ("capture_method", "manual"),
            ("payment_method_types[0]", "card"),
            ("metadata[booking_id]", "b-1"),
        ];
        let (status, intent) = self.post("/v1/payment_intents", &form, None).await;
        assert_eq!(status, 200, "{intent}");
        intent
    }

    /// Id of a new intent.
    pub(crate) async fn created(&self, amount: i64) -> String {
        self.create(amount).await["id"].as_str().expect("an id").to_owned()
    }

    /// Id of an intent that waits for capture.
    pub(crate) async fn authorised(&self, amount: i64) -> String {
        let id = self.created(amount).await;
        assert_eq!(self.confirm(&id, "pm_card_visa").await.0, 200);
        id
    }

    pub(crate) async fn confirm(&self, id: &str, card: &str) -> (u16, Value) {
        let form = [("payment_method", card), ("return_url", "http://shop.test/back")];
        self.post(&format!("/v1/payment_intents/{id}/confirm"), &form, None).await
    }

    /// At most a hundred, newest first.
    pub(crate) async fn intents(&self) -> Vec<Value> {
        let list = self.get("/v1/payment_intents?limit=100").await.1;
        list["data"].as_array().expect("a list").clone()
    }
}
