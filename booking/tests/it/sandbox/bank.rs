//! A sandbox of its own behind a listener, and short ways to talk to it.

use std::{path::PathBuf, time::Duration};

use booking::sandbox::{self, Settings};
use serde_json::Value;
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
    webhook_url: Option<String>,
    public_url: Option<String>,
}

impl Bank {
    pub(crate) async fn start() -> Self {
        Self::telling(None).await
    }

    /// Sends its events to `webhook_url`.
    pub(crate) async fn telling(webhook_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, webhook_url, None)
    }

    /// Its page stands on this origin, for whoever pays.
    pub(crate) async fn seen_at(public_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, None, Some(public_url.to_owned()))
    }

    fn over(folder: tempfile::TempDir, webhook_url: Option<String>, public_url: Option<String>) -> Self {
        let lifecycle = Lifecycle::new();
        let ledger = folder.path().join("ledger.jsonl");
        let settings = Settings {
            ledger: ledger.clone(),
            secret_key: SECRET_KEY.into(),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            webhook_secret: WEBHOOK_SECRET.into(),
            webhook_url: webhook_url.clone(),
            public_url: public_url.clone(),
        };
        let site = shared::testing::site(vec![booking::assets()]);
        let router = sandbox::build(settings, &site, Clock::system(), lifecycle.clone()).expect("starts").together();
        let listener = fixture::listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        fixture::serve(listener, router, &lifecycle);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { url, http, ledger, lifecycle, folder, webhook_url, public_url }
    }

    /// Stops, lets `meanwhile` at the ledger, and starts again.
    pub(crate) async fn restart(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        self.lifecycle.stop();
        drop(self.http);
        self.lifecycle.wait(Duration::from_secs(5)).await.expect("stops well");
        meanwhile(&self.ledger);
        Self::over(self.folder, self.webhook_url, self.public_url)
    }

    pub(crate) async fn send(&self, path: &str, form: &[(&str, &str)], key: Option<&str>) -> reqwest::Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).bearer_auth(SECRET_KEY).form(form);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await.expect("the sandbox answers")
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
