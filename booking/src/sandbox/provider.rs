//! The shell around the decisions: one at a time per intent, each on disk before anybody hears of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use shared::{clock::Clock, encoding, lifecycle::Lifecycle};

use super::{
    Settings,
    book::{Book, Entry, EventName},
    command::{Command, Decision, FreshIds},
    error::ApiError,
    faults::{Call, Fault, Faults, Fired},
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
    faults: Arc<Faults>,
}

/// What goes back over HTTP.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Answer {
        status: u16,
        body: String,
        /// The answer to an earlier request with the same key.
        replayed: bool,
    },
    /// Nothing: the connection ends.
    Nothing,
}

impl Reply {
    pub(super) fn ok(body: &Value) -> Self {
        Self::Answer { status: 200, body: body.to_string(), replayed: false }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::Answer { status: error.status, body: error.body().to_string(), replayed: false }
    }
}

impl Provider {
    pub(super) fn start(settings: Settings, clock: Clock, lifecycle: &Lifecycle) -> anyhow::Result<Self> {
        let faults = Arc::new(Faults::read(settings.faults.as_deref())?);
        let book = Arc::new(Mutex::new(Book::default()));
        let (ledger, writer) = Ledger::open(&settings.ledger, &book)?;
        lifecycle.spawn("sandbox-ledger", writer.run());
        let webhooks = Webhooks::start(
            settings.webhook_url.as_deref(),
            settings.webhook_secret.clone(),
            clock.clone(),
            ledger.clone(),
            faults.clone(),
            lifecycle,
        )?;
        let provider = Self(Arc::new(Inner { settings, clock, book, ledger, webhooks, faults }));
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

    pub(super) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Looks something up, as well as the fault script lets it.
    pub(super) async fn read(
        &self,
        call: Call,
        look: impl FnOnce(&Book) -> Result<Value, ApiError>,
    ) -> Result<Reply, ApiError> {
        if let Some(fired) = self.0.faults.of_call(call, false) {
            match fired.what {
                Fault::Fails { .. } => return Err(ApiError::failed_on_demand()),
                Fault::TooMany => return Err(ApiError::too_many_requests()),
                Fault::Cut { after, .. } => {
                    fired.wait(after).await;
                    return Ok(Reply::Nothing);
                }
                Fault::Late(wait) => fired.wait(wait).await,
            }
        }
        let found = look(&self.book())?;
        Ok(Reply::ok(&found))
    }

    /// Carries a command out, at most once per key.
    pub(super) async fn run(&self, command: Command, key: Option<Key>) -> Reply {
        let provider = self.clone();
        // a task of its own: a caller that hangs up must not stop it between the disk and the book
        let task = tokio::spawn(async move { provider.run_spoiled(command, key).await });
        task.await.unwrap_or_else(|_panicked| ApiError::internal().into())
    }

    /// As the fault script lets it.
    async fn run_spoiled(&self, command: Command, key: Option<Key>) -> Reply {
        let replay = key.as_ref().is_some_and(|key| self.book().answers.are_saved_under(key));
        let fired = command.call().and_then(|call| self.0.faults.of_call(call, replay));
        let Some(Fired { what, .. }) = fired.as_ref() else { return self.run_once(command, key, None).await };
        let wait = async |at_most| {
            if let Some(fired) = &fired {
                fired.wait(at_most).await;
            }
        };
        match *what {
            Fault::Fails { carried_out } => self.run_once(command, key, Some(Failing { carried_out })).await,
            Fault::TooMany => ApiError::too_many_requests().into(),
            Fault::Cut { after, carried_out } => {
                if carried_out {
                    self.run_once(command, key, None).await;
                }
                wait(after).await;
                Reply::Nothing
            }
            Fault::Late(after) => {
                wait(after).await;
                self.run_once(command, key, None).await
            }
        }
    }

    async fn run_once(&self, command: Command, key: Option<Key>, failing: Option<Failing>) -> Reply {
        let Some(key) = key else { return self.execute(command, None, failing).await };
        match self.book().answers.begin(&key) {
            Begin::Again { status, body } => return Reply::Answer { status, body, replayed: true },
            Begin::InUse => return ApiError::key_in_use().into(),
            Begin::OtherParameters => return ApiError::key_reused().into(),
            Begin::Fresh => {}
        }
        let _under_way = UnderWay { provider: self, key: &key.key };
        self.execute(command, Some(&key), failing).await
    }

    async fn execute(&self, command: Command, key: Option<&Key>, failing: Option<Failing>) -> Reply {
        let target = command.target().map(str::to_owned);
        let turn = target.as_deref().and_then(|id| self.book().turn(id));
        let _turn = match turn {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        let current = target.and_then(|id| self.book().intent(&id).cloned());
        let now = self.0.clock.now();
        let decision = Failing::spoil(failing, || command.decide(current.as_ref(), fresh_ids(), now));
        let (status, body) = match decision.answer {
            Ok(body) => (200, body.to_string()),
            Err(error) => (error.status, error.body().to_string()),
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
                status,
                body: body.clone(),
            }),
            settled: None,
        };
        let reply = Reply::Answer { status, body, replayed: false };
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

/// The answer will be 500, whatever happens.
#[derive(Clone, Copy)]
struct Failing {
    carried_out: bool,
}

impl Failing {
    fn spoil(failing: Option<Self>, decide: impl FnOnce() -> Decision) -> Decision {
        match failing {
            None => decide(),
            Some(Self { carried_out: true }) => Decision { answer: Err(ApiError::failed_on_demand()), ..decide() },
            Some(Self { carried_out: false }) => Decision::unchanged(ApiError::failed_on_demand()),
        }
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
