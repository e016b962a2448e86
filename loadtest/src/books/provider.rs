//! The second book: the payment provider's own list of intents (Stripe's list protocol).

use std::{collections::HashMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use uuid::Uuid;

use super::{Intent, Ledger};

/// Intents asked for at a time; the most the provider gives.
const PAGE: usize = 100;
/// Pages read before the judge doubts that the list has an end.
const PAGES_MOST: usize = 100_000;
/// One page takes no longer than this many seconds.
const PAGE_S: u64 = 30;

/// The provider's API.
#[derive(Debug)]
pub(crate) struct Provider {
    http: reqwest::Client,
    list: String,
    key: String,
    ledger: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<WireIntent>,
    has_more: bool,
}

#[derive(Debug, Deserialize)]
struct WireIntent {
    id: String,
    status: String,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
    #[serde(default)]
    latest_charge: Option<WireCharge>,
}

/// An id, or the charge itself when it was asked to be expanded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WireCharge {
    Expanded { amount_refunded: i64 },
    Id(#[expect(dead_code, reason = "only its shape matters")] String),
}

impl Provider {
    pub(crate) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(PAGE_S))
            .build()
            .context("cannot make the client for the payment provider")?;
        Ok(Self {
            http,
            list: format!("{}/v1/payment_intents", url.trim_end_matches('/')),
            key: key.to_owned(),
            ledger: None,
        })
    }

    /// With the sandbox's file beside its list.
    #[must_use]
    pub(crate) fn with_ledger(self, ledger: Option<PathBuf>) -> Self {
        Self { ledger, ..self }
    }

    pub(crate) fn ledger(&self) -> anyhow::Result<Option<Ledger>> {
        self.ledger.as_deref().map(Ledger::read).transpose()
    }

    /// Every intent there is, page by page.
    pub(crate) async fn intents(&self) -> anyhow::Result<Vec<Intent>> {
        let mut intents: Vec<Intent> = Vec::new();
        for _ in 0..PAGES_MOST {
            let after = intents.last().map(|intent| intent.id.clone());
            let page = self.page(after.as_deref()).await?;
            let last = page.data.is_empty() || !page.has_more;
            intents.extend(page.data.into_iter().map(Intent::from));
            if last {
                return Ok(intents);
            }
        }
        anyhow::bail!("the provider's list has no end after {PAGES_MOST} pages")
    }

    async fn page(&self, after: Option<&str>) -> anyhow::Result<Page> {
        // what was given back is said by the charge
        let mut query = vec![("limit", PAGE.to_string()), ("expand[]", "data.latest_charge".to_owned())];
        if let Some(after) = after {
            query.push(("starting_after", after.to_owned()));
        }
        let asked = || format!("cannot read {}", self.list);
        let answer = self.http.get(&self.list).bearer_auth(&self.key).query(&query).send().await.with_context(asked)?;
        let status = answer.status();
        let body = answer.bytes().await.with_context(asked)?;
        ensure!(
            status.is_success(),
            "{} answered {status}: {}",
            self.list,
            String::from_utf8_lossy(&body[..body.len().min(300)])
        );
        serde_json::from_slice(&body).with_context(asked)
    }
}

impl From<WireIntent> for Intent {
    fn from(wire: WireIntent) -> Self {
        let amount_refunded = match wire.latest_charge {
            Some(WireCharge::Expanded { amount_refunded }) => amount_refunded,
            Some(WireCharge::Id(_)) | None => 0,
        };
        Self {
            id: wire.id,
            status: wire.status,
            amount_received: wire.amount_received,
            amount_refunded,
            currency: wire.currency,
            booking_id: wire.metadata.get("booking_id").and_then(|id| Uuid::parse_str(id).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, extract::Query, http::HeaderMap, routing::get};
    use serde_json::{Value, json};

    use super::*;

    async fn list(headers: HeaderMap, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
        assert_eq!(headers["authorization"], "Bearer sk_test");
        assert_eq!(query["limit"], "100");
        assert_eq!(query["expand[]"], "data.latest_charge");
        let first = query.get("starting_after").map_or(0, |id| id[3..].parse::<usize>().unwrap() + 1);
        let ids: Vec<usize> = (first..250).take(100).collect();
        let more = ids.last().is_some_and(|last| *last < 249);
        let data: Vec<Value> = ids
            .into_iter()
            .map(|id| {
                json!({"id": format!("pi_{id}"), "status": "succeeded", "amount": 100, "amount_received": 100,
                    "currency": "usd", "metadata": {"booking_id": Uuid::nil()}, "latest_charge": "ch_1"})
            })
            .collect();
        Json(json!({"object": "list", "data": data, "has_more": more}))
    }

    #[tokio::test]
    async fn the_list_is_read_to_its_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/payment_intents", get(list));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let intents = Provider::new(&url, "sk_test").unwrap().intents().await.unwrap();
        assert_eq!(intents.len(), 250);
        assert_eq!(intents[249].id, "pi_249");
        assert_eq!(intents[0].booking_id, Some(Uuid::nil()));
    }

    #[test]
    fn refunds_are_seen_where_the_provider_says_them() {
        let wire = |charge: Value| -> Intent {
            let intent =
                json!({"id": "pi", "status": "succeeded", "amount": 5, "currency": "usd", "latest_charge": charge});
            serde_json::from_value::<WireIntent>(intent).unwrap().into()
        };
        assert_eq!(wire(json!("ch_1")).amount_refunded, 0);
        assert_eq!(wire(json!(null)).amount_refunded, 0);
        assert_eq!(wire(json!({"id": "ch_1", "amount_refunded": 5})).amount_refunded, 5);
    }
}
