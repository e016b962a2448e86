//! Looking at the public totals while the evening lasts.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use crate::{
    clock::now_us,
    http::{Call, Client, Retry},
    protocol::Pulse,
    record::PulseHeard,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(500);
/// The first look is tried this often.
const FIRST_LOOKS: u32 = 10;

/// Somebody who looks, over a connection of their own.
#[derive(Debug)]
pub(super) struct Watch {
    client: Client,
    call: Call,
    heard: Vec<PulseHeard>,
}

/// The look-out at work.
#[derive(Debug)]
pub(super) struct Watching {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<PulseHeard>>,
}

impl Watch {
    pub(super) fn new(client: Client, drop: &str) -> Self {
        Self { client, call: Call::get(format!("/queue/{drop}/pulse")), heard: Vec::new() }
    }

    /// The first look, before the evening.
    ///
    /// # Errors
    /// No server, or no such drop.
    pub(super) async fn look(&mut self) -> anyhow::Result<Pulse> {
        for attempt in 0.. {
            let outcome = self.client.call(&self.call).await;
            if let Some(retry) = Retry::wanted(&outcome)
                && attempt < FIRST_LOOKS
                && outcome.is_ok()
            {
                sleep(retry.wait(attempt, &mut rand::rng())).await;
                continue;
            }
            let answer = outcome.with_context(|| format!("cannot read {}", self.call.path))?;
            ensure!(answer.status.is_success(), "{} answered {}", self.call.path, answer.describe());
            let pulse: Pulse = answer.read()?;
            self.note(&pulse);
            return Ok(pulse);
        }
        Err(anyhow!("{} is not answered", self.call.path))
    }

    /// Goes on looking until told to stop. A look that fails is left out: the totals are for the
    /// report, and for the rate.
    pub(super) fn keep(mut self) -> Watching {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return self.heard,
                    () = sleep(PERIOD) => {}
                }
                let outcome = self.client.call(&self.call).await;
                if let Ok(answer) = outcome
                    && let Ok(pulse) = answer.read::<Pulse>()
                {
                    self.note(&pulse);
                }
            }
        });
        Watching { stop, task }
    }

    fn note(&mut self, pulse: &Pulse) {
        let Some(rate_per_minute) = pulse.rate_per_minute else {
            return; // a problem document
        };
        self.heard.push(PulseHeard {
            at_us: now_us(),
            state: pulse.state.clone().unwrap_or_default(),
            lobby: pulse.lobby,
            waiting: pulse.waiting,
            called: pulse.called,
            granted: pulse.granted,
            active: pulse.active,
            sold_out: pulse.sold_out,
            rate_per_minute,
        });
    }
}

impl Watching {
    pub(super) async fn finish(self) -> anyhow::Result<Vec<PulseHeard>> {
        // a look-out that is gone already is found out by joining it
        self.stop.send(()).ok();
        self.task.await.context("the look-out on the totals panicked")
    }
}
