//! Telling the shop: signed, at least once, in no particular order, and again until it answers 2xx. What is still
//! owed when the process ends is sent after the next start. What a fault keeps back is put [`aside`].

mod aside;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use shared::{clock::Clock, lifecycle::Lifecycle};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{
    book::{Entry, Event},
    faults::{Faults, Spoiled},
    ledger::Ledger,
};
use crate::payments::signature;
use aside::Aside;

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
/// How often what is kept back is looked at.
const LOOK: Duration = Duration::from_millis(20);

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
    faults: Arc<Faults>,
    slots: Semaphore,
}

impl Webhooks {
    pub(super) fn start(
        url: Option<&str>,
        secret: SecretString,
        clock: Clock,
        ledger: Ledger,
        faults: Arc<Faults>,
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
            faults,
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
    let mut aside = Aside::default();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(done) = open.join_next() => done.context("a webhook's task")?,
            _ = looks.tick(), if !aside.is_empty() => {
                for events in aside.due(sender.clock.now()) {
                    drop(open.spawn(deliver_in_turn(sender.clone(), events)));
                }
            }
            event = waiting.recv(), if open.len() + aside.len() < OPEN_MAX => match event {
                Some(event) => match sender.faults.of_webhook(&event.kind) {
                    None => drop(open.spawn(deliver(sender.clone(), event, 1))),
                    Some(fired) => match fired.what {
                        Spoiled::Dropped => drop(open.spawn(settle(sender.clone(), event.id))),
                        Spoiled::Copies(copies) => drop(open.spawn(deliver(sender.clone(), event, copies))),
                        Spoiled::Late(by) => aside.late(event, sender.clock.now() + by, fired.ended),
                        Spoiled::Held { count, at_most } => {
                            aside.hold(event, count, sender.clock.now() + at_most, fired.ended);
                        }
                    },
                },
                // no more requests can come: the stop is under way
                None => stop.cancelled().await,
            },
        }
    }
}

/// One after the other: each has been tried once before the next is.
async fn deliver_in_turn(sender: Arc<Sender>, events: Vec<Event>) {
    let mut refused = Vec::new();
    for event in events {
        match sender.try_once(&event).await {
            Ok(()) => settle(sender.clone(), event.id).await,
            Err(_tried_again_below) => refused.push(deliver(sender.clone(), event, 1)),
        }
    }
    futures_util::future::join_all(refused).await;
}

/// `copies` at once, and again until each was taken by the shop.
async fn deliver(sender: Arc<Sender>, event: Event, copies: u32) {
    futures_util::future::join_all((0..copies).map(|_| sender.until_taken(&event))).await;
    settle(sender, event.id).await;
}

async fn settle(sender: Arc<Sender>, event: String) {
    let settled = Entry::settled(event, sender.clock.now());
    if let Err(error) = sender.ledger.note(settled).await {
        tracing::warn!(%error, "a delivered webhook will be sent again");
    }
}

impl Sender {
    async fn until_taken(&self, event: &Event) {
        let mut pause = PAUSE_FIRST;
        for tries in 1..=TRIES_MAX {
            match self.try_once(event).await {
                Ok(()) => return,
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
    }

    async fn try_once(&self, event: &Event) -> anyhow::Result<()> {
        let _slot = self.slots.acquire().await?;
        let signature = signature::sign(self.secret.expose_secret(), event.body.as_bytes(), self.clock.now());
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("stripe-signature", signature)
            .body(event.body.to_string());
        request.send().await?.error_for_status()?;
        Ok(())
    }
}
