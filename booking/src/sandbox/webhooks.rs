//! Telling the shop: signed, at least once, in no particular order, and again until it answers 2xx. What is still
//! owed when the process ends is sent after the next start.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use shared::{clock::Clock, lifecycle::Lifecycle};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    book::{Entry, Event},
    ledger::Ledger,
};
use crate::payments::signature;

/// Events that may wait to be sent for the first time; more are left to the next start.
const WAITING_MAX: usize = 10_000;
/// Events between their first try and their last.
const OPEN_MAX: usize = 10_000;
/// Requests to the shop at once.
const CONCURRENT_MAX: usize = 16;
/// Tries of one event, over roughly a quarter of an hour.
const TRIES_MAX: u32 = 20;
/// Pause after the first failed try; doubles up to `PAUSE_MAX`.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Webhooks {
    /// None: nobody wants events.
    queue: Option<mpsc::Sender<Event>>,
}

struct Sender {
    http: reqwest::Client,
    url: Url,
    secret: SecretString,
    clock: Clock,
    ledger: Ledger,
    slots: Semaphore,
}

impl Webhooks {
    pub(super) fn start(
        url: Option<&str>,
        secret: SecretString,
        clock: Clock,
        ledger: Ledger,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<Self> {
        let Some(url) = url else { return Ok(Self { queue: None }) };
        let url: Url = url.parse().with_context(|| format!("the webhook address {url:?}"))?;
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("onsale-sandbox");
        if url.scheme() == "http" {
            // as in the client: a neighbour needs neither the machine's proxy nor its certificates
            http = http.no_proxy().tls_certs_only([]);
        }
        let sender = Sender {
            http: http.build().context("a client for webhooks")?,
            url,
            secret,
            clock,
            ledger,
            slots: Semaphore::new(CONCURRENT_MAX),
        };
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        lifecycle.spawn("sandbox-webhooks", dispatch(Arc::new(sender), waiting, lifecycle.stopping()));
        Ok(Self { queue: Some(queue) })
    }

    pub(super) fn wanted(&self) -> bool {
        self.queue.is_some()
    }

    pub(super) fn send(&self, event: Event) {
        if let Some(queue) = &self.queue
            && queue.try_send(event).is_err()
        {
            tracing::warn!("too many webhooks wait; this one is left to the next start");
        }
    }
}

/// Ends at the stop, letting go of whatever is under way.
async fn dispatch(
    sender: Arc<Sender>,
    mut waiting: mpsc::Receiver<Event>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(done) = open.join_next() => done.context("a webhook's task")?,
            event = waiting.recv(), if open.len() < OPEN_MAX => match event {
                Some(event) => drop(open.spawn(deliver(sender.clone(), event))),
                // no more requests can come: the stop is under way
                None => stop.cancelled().await,
            },
        }
    }
}

async fn deliver(sender: Arc<Sender>, event: Event) {
    let mut pause = PAUSE_FIRST;
    for tries in 1..=TRIES_MAX {
        match sender.try_once(&event).await {
            Ok(()) => break,
            Err(error) if tries == TRIES_MAX => {
                tracing::warn!(event = event.id, error = format!("{error:#}"), "the shop never took this webhook");
            }
            Err(error) => {
                tracing::debug!(event = event.id, tries, error = format!("{error:#}"), "webhook not taken");
                tokio::time::sleep(pause).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        }
    }
    let settled = Entry::settled(event.id, sender.clock.now());
    if let Err(error) = sender.ledger.note(settled).await {
        tracing::warn!(%error, "a delivered webhook will be sent again");
    }
}

impl Sender {
    async fn try_once(&self, event: &Event) -> anyhow::Result<()> {
        let _slot = self.slots.acquire().await?;
        let signature = signature::sign(self.secret.expose_secret(), event.body.as_bytes(), self.clock.now());
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("stripe-signature", signature)
            .body(event.body.clone());
        request.send().await?.error_for_status()?;
        Ok(())
    }
}
