//! The shop is told everything at least once, signed, and again until it listens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use booking::payments::signature;
use serde_json::Value;
use shared::{clock::Clock, lifecycle::Lifecycle};
use tokio::sync::mpsc;

use super::{
    PRICE,
    bank::{self, Bank},
};
use crate::fixture;

const PATIENCE: Duration = Duration::from_secs(20);

/// A shop that answers 500 to its first `failures` webhooks and hands on everything it gets.
struct Shop {
    url: String,
    heard: mpsc::UnboundedReceiver<(u16, Value)>,
    lifecycle: Lifecycle,
}

impl Shop {
    fn failing(failures: u32) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let left = Arc::new(AtomicU32::new(failures));
        let hear = move |headers: HeaderMap, body: Bytes| async move {
            let header = headers["stripe-signature"].to_str().expect("ASCII");
            signature::verify(bank::WEBHOOK_SECRET, header, &body, Clock::system().now(), 300)
                .expect("signed by the sandbox");
            let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            let event = serde_json::from_slice(&body).expect("JSON");
            sender.send((status.as_u16(), event)).expect("the test listens");
            status
        };
        let lifecycle = Lifecycle::new();
        let listener = fixture::listen();
        let url = format!("http://{}/webhook", listener.local_addr().expect("bound"));
        fixture::serve(listener, Router::new().route("/webhook", post(hear)), &lifecycle);
        Self { url, heard, lifecycle }
    }

    async fn next(&mut self) -> (u16, Value) {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("in time").expect("a webhook")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

#[tokio::test]
async fn every_step_is_told() {
    let mut shop = Shop::failing(0);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    let id = bank.authorised(PRICE).await;
    bank.post(&format!("/v1/payment_intents/{id}/capture"), &[], None).await;
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let (_, event) = shop.next().await;
        assert_eq!(event["data"]["object"]["id"], id.as_str());
        kinds.push(event["type"].as_str().expect("a type").to_owned());
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["payment_intent.amount_capturable_updated", "payment_intent.created", "payment_intent.succeeded"]
    );
}

#[tokio::test]
async fn a_webhook_refused_comes_again() {
    let mut shop = Shop::failing(2);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.created(PRICE).await;
    let tries = [shop.next().await, shop.next().await, shop.next().await];
    assert_eq!(tries.each_ref().map(|(status, _)| *status), [500, 500, 200]);
    assert_eq!(tries[0].1["id"], tries[2].1["id"]);
}

#[tokio::test]
async fn what_is_owed_at_the_end_is_sent_after_the_next_start() {
    let mut shop = Shop::failing(1);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.created(PRICE).await;
    let (status, first) = shop.next().await;
    assert_eq!(status, 500);
    let _bank = bank.restart(|_| {}).await;
    let (status, second) = shop.next().await;
    assert_eq!((status, &second["id"]), (200, &first["id"]));
}
