//! A shop that hears webhooks.

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
use tokio::sync::{Barrier, mpsc};

use super::bank;
use crate::fixture;

const PATIENCE: Duration = Duration::from_secs(20);

/// Hands on everything it gets, with what it answered.
pub(crate) struct Shop {
    pub(crate) url: String,
    heard: mpsc::UnboundedReceiver<(u16, Value)>,
    lifecycle: Lifecycle,
}

impl Shop {
    /// Answers 500 to its first `failures` webhooks.
    pub(crate) fn failing(failures: u32) -> Self {
        Self::new(failures, 1, Clock::system())
    }

    /// Answers only when so many webhooks are there at once.
    pub(crate) fn waiting_for(crowd: usize) -> Self {
        Self::new(0, crowd, Clock::system())
    }

    /// Checks signatures by this clock.
    pub(crate) fn at(clock: Clock) -> Self {
        Self::new(0, 1, clock)
    }

    fn new(failures: u32, crowd: usize, clock: Clock) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let left = Arc::new(AtomicU32::new(failures));
        let crowd = Arc::new(Barrier::new(crowd));
        let hear = move |headers: HeaderMap, body: Bytes| async move {
            let header = headers["stripe-signature"].to_str().expect("ASCII");
            signature::verify(bank::WEBHOOK_SECRET, header, &body, clock.now(), 300).expect("signed by the sandbox");
            let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            let event = serde_json::from_slice(&body).expect("JSON");
            sender.send((status.as_u16(), event)).expect("the test listens");
            crowd.wait().await;
            status
        };
        let lifecycle = Lifecycle::new();
        let listener = fixture::listen();
        let url = format!("http://{}/webhook", listener.local_addr().expect("bound"));
        fixture::serve(listener, Router::new().route("/webhook", post(hear)), &lifecycle);
        Self { url, heard, lifecycle }
    }

    pub(crate) async fn next(&mut self) -> (u16, Value) {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("in time").expect("a webhook")
    }

    /// The type of the next event.
    pub(crate) async fn next_kind(&mut self) -> String {
        self.next().await.1["type"].as_str().expect("a type").to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}
