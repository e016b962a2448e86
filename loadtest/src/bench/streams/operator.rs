//! The operator's hand: notices, rates, and the public totals.

use anyhow::{Context as _, ensure};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::protocol::Pulse;

/// A signed-in operator of one drop.
#[derive(Debug)]
pub(super) struct Operator {
    client: Client,
    url: String,
    drop: String,
    token: String,
}

#[derive(Deserialize)]
struct Session {
    token: String,
}

impl Operator {
    pub(super) async fn sign_in(url: &str, drop: &str, email: &str, password: &str) -> anyhow::Result<Self> {
        let client = Client::new();
        let credentials = json!({ "email": email, "password": password });
        let answer = send(client.post(format!("{url}/ops/api/sessions")).json(&credentials)).await?;
        let token = serde_json::from_value::<Session>(answer).context("a session without a token")?.token;
        Ok(Self { client, url: url.into(), drop: drop.into(), token })
    }

    pub(super) async fn notice(&self, text: &str) -> anyhow::Result<()> {
        let path = format!("{}/ops/api/drops/{}/notice", self.url, self.drop);
        send(self.client.post(path).bearer_auth(&self.token).json(&json!({ "text": text }))).await.map(drop)
    }

    pub(super) async fn rate(&self, per_minute: u32) -> anyhow::Result<()> {
        let path = format!("{}/ops/api/drops/{}", self.url, self.drop);
        let change = json!({ "rate_per_minute": per_minute });
        send(self.client.patch(path).bearer_auth(&self.token).json(&change)).await.map(drop)
    }

    /// The public totals as a waitroom tells them, a second old at most.
    pub(super) async fn pulse(&self) -> anyhow::Result<Pulse> {
        let answer = send(self.client.get(format!("{}/queue/{}/pulse", self.url, self.drop))).await?;
        Ok(serde_json::from_value(answer)?)
    }
}

async fn send(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, url) = (answer.status(), answer.url().clone());
    let body = answer.text().await?;
    ensure!(status.is_success(), "{url} answered {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}
