//! Faults on demand: a script of rules that spoil calls of the API and webhooks, for those who test a shop against the
//! sandbox. What a rule does is decided in [`script`], pure; here the one script of the moment is kept.
//!
//! A script is not in the ledger: it ends with the process. When it ends or another takes its place, what it holds back
//! is let go at once: hanging requests are cut, late ones carried out, webhooks sent.

mod script;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(super) use script::{BadScript, Call, Fault, Script, Spoiled};

#[derive(Default)]
pub(super) struct Faults {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    script: Script,
    ended: CancellationToken,
}

/// What goes wrong, and until when at the latest.
#[derive(Debug, Clone)]
pub(super) struct Fired<T> {
    pub(super) what: T,
    /// Done with the script the fault came from.
    pub(super) ended: CancellationToken,
}

impl<T> Fired<T> {
    /// Waits this long, unless the script ends before.
    pub(super) async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.ended.cancelled()).await;
    }
}

impl Faults {
    /// The script in this file, or none.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let faults = Self::default();
        if let Some(file) = file {
            let named = || format!("the fault script {}", file.display());
            let text = std::fs::read(file).with_context(named)?;
            let script = Script::parse(&text).map_err(|bad| anyhow!("{}: {}", bad.field, bad.message));
            faults.replace(script.with_context(named)?);
        }
        Ok(faults)
    }

    /// Ends the script there was and tells what it did.
    pub(super) fn replace(&self, script: Script) -> Value {
        let old = std::mem::replace(&mut *self.running(), Running { script, ended: CancellationToken::new() });
        old.ended.cancel();
        old.script.view()
    }

    pub(super) fn view(&self) -> Value {
        self.running().script.view()
    }

    /// What goes wrong with a call, if anything; `replay` when its idempotency key has an answer already.
    pub(super) fn of_call(&self, call: Call, replay: bool) -> Option<Fired<Fault>> {
        let mut running = self.running();
        let what = running.script.call(call, replay)?;
        Some(Fired { what, ended: running.ended.clone() })
    }

    /// What goes wrong with the first sending of an event of this type, if anything.
    pub(super) fn of_webhook(&self, kind: &str) -> Option<Fired<Spoiled>> {
        let mut running = self.running();
        let what = running.script.webhook(kind)?;
        Some(Fired { what, ended: running.ended.clone() })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
