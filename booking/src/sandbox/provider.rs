//! The shell around the decisions: one at a time per intent, each on disk before anybody hears of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use shared::{clock::Clock, encoding, lifecycle::Lifecycle};

use super::{
    Settings,
    book::{Book, Entry, EventName},
    command::{Command, FreshIds},
    error::ApiError,
    idempotency::{Begin, Key, Saved},
    ledger::Ledger,
    webhooks::Webhooks,
};

#[derive(Clone)]
pub(super) struct Provider(Arc<Inner>);

struct Inner {
    settings: Settings,
    clock: Clock,
    book: Arc<Mutex<Book>>,
    ledger: Ledger,
    webhooks: Webhooks,
}

/// What goes back over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    /// The answer to an earlier request with the same key.
    pub(super) replayed: bool,
}

impl Reply {
    pub(super) fn ok(body: &Value) -> Self {
        Self { status: 200, body: body.to_string(), replayed: false }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, body: error.body().to_string(), replayed: false }
    }
}

impl Provider {
    pub(super) fn start(settings: Settings, clock: Clock, lifecycle: &Lifecycle) -> anyhow::Result<Self> {
        let book = Arc::new(Mutex::new(Book::default()));
        let (ledger, writer) = Ledger::open(&settings.ledger, &book)?;
        lifecycle.spawn("sandbox-ledger", writer.run());
        let webhooks = Webhooks::start(
            settings.webhook_url.as_deref(),
            settings.webhook_secret.clone(),
            clock.clone(),
            ledger.clone(),
            lifecycle,
        )?;
        let provider = Self(Arc::new(Inner { settings, clock, book, ledger, webhooks }));
        for event in provider.book().owed() {
            provider.0.webhooks.send(event);
        }
        Ok(provider)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// For a look; never held while waiting for anything.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a command out, at most once per key.
    pub(super) async fn run(&self, command: Command, key: Option<Key>) -> Reply {
        let provider = self.clone();
        // a task of its own: a caller that hangs up must not stop it between the disk and the book
        let task = tokio::spawn(async move { provider.run_once(command, key).await });
        task.await.unwrap_or_else(|_panicked| ApiError::internal().into())
    }

    async fn run_once(&self, command: Command, key: Option<Key>) -> Reply {
        let Some(key) = key else { return self.execute(command, None).await };
        match self.book().answers.begin(&key) {
            Begin::Again { status, body } => return Reply { status, body, replayed: true },
            Begin::InUse => return ApiError::key_in_use().into(),
            Begin::OtherParameters => return ApiError::key_reused().into(),
            Begin::Fresh => {}
        }
        let _under_way = UnderWay { provider: self, key: &key.key };
        self.execute(command, Some(&key)).await
    }

    async fn execute(&self, command: Command, key: Option<&Key>) -> Reply {
        let target = command.target().map(str::to_owned);
        let turn = target.as_deref().and_then(|id| self.book().turn(id));
        let _turn = match turn {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        let current = target.and_then(|id| self.book().intent(&id).cloned());
        let now = self.0.clock.now();
        let decision = command.decide(current.as_ref(), fresh_ids(), now);
        let reply = match decision.answer {
            Ok(body) => Reply::ok(&body),
            Err(error) => error.into(),
        };
        let wanted = decision.event.filter(|_| self.0.webhooks.wanted());
        let entry = Entry {
            at: now,
            intent: decision.intent,
            refund: decision.refund,
            event: wanted.map(|kind| EventName { id: random_id("evt"), kind: kind.to_owned() }),
            answer: key.map(|key| Saved {
                key: key.key.clone(),
                fingerprint: key.fingerprint.clone(),
                status: reply.status,
                body: reply.body.clone(),
            }),
            settled: None,
        };
        if entry.intent.is_none() && entry.answer.is_none() {
            return reply;
        }
        let event = entry.event();
        if let Err(error) = self.0.ledger.append(entry).await {
            tracing::error!(%error, "a payment request was not carried out");
            return ApiError::internal().into();
        }
        if let Some(event) = event {
            self.0.webhooks.send(event);
        }
        reply
    }
}

/// Gives the key free again, however the request ends.
struct UnderWay<'a> {
    provider: &'a Provider,
    key: &'a str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.provider.book().answers.end(self.key);
    }
}

fn fresh_ids() -> FreshIds {
    FreshIds {
        intent: random_id("pi"),
        client_secret: encoding::hex(&encoding::random::<16>()),
        charge: random_id("ch"),
        refund: random_id("re"),
    }
}

fn random_id(prefix: &str) -> String {
    format!("{prefix}_{}", encoding::hex(&encoding::random::<12>()))
}
