//! How a process ends: drain first, cut later, and never limp.
//!
//! The first signal starts the drain: [`Lifecycle::stopping`] is cancelled, listeners
//! close, streams say goodbye, background tasks return. A second signal, or the deadline
//! given to [`Lifecycle::wait`], cuts. A background task that ends on its own before that
//! takes the whole process down with an error: half a process is worse than none, because
//! nobody restarts it.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{AbortHandle, JoinHandle},
    time::MissedTickBehavior,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The exit code of a process cut by a second signal, as shells count it (128 + SIGINT).
const CUT: i32 = 130;

/// The background tasks of a process and its stop. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stopping: CancellationToken,
    tasks: TaskTracker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first death. Later ones are logged only: they mostly follow from it.
    failure: Option<anyhow::Error>,
    running: BTreeMap<u64, (&'static str, AbortHandle)>,
    next: u64,
}

impl Lifecycle {
    /// A process that runs, with no tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the drain begins.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Starts a background task. It should end soon after [`Lifecycle::stopping`];
    /// ending, failing or panicking before stops the whole process with an error.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let this = self.clone();
        let task = tokio::spawn(future);
        let number = {
            let mut state = self.state();
            let number = state.next;
            state.next += 1;
            state.running.insert(number, (name, task.abort_handle()));
            number
        };
        self.0.tasks.spawn(async move {
            let outcome = task.await;
            this.state().running.remove(&number);
            match outcome {
                Ok(Ok(())) if this.0.stopping.is_cancelled() => {}
                Ok(Ok(())) => this.fail(anyhow!("background task {name} ended before the stop")),
                Ok(Err(error)) => this.fail(error.context(format!("background task {name} failed"))),
                Err(error) if error.is_cancelled() => tracing::warn!(task = name, "cut at the deadline"),
                Err(_) => this.fail(anyhow!("background task {name} panicked")),
            }
        });
    }

    /// Begins the drain.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Lets SIGTERM and SIGINT stop the process: the first drains, the second exits at once.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen_for_signals(&self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let this = self.clone();
        tokio::spawn(async move {
            for round in 0.. {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if round > 0 {
                    tracing::warn!(signal = name, "second signal: exiting at once");
                    std::process::exit(CUT);
                }
                tracing::info!(signal = name, "draining; a second signal exits at once");
                this.stop();
            }
        });
        Ok(())
    }

    /// Waits for the stop, then for all tasks, at most `deadline` longer; what still runs
    /// then is aborted.
    ///
    /// # Errors
    /// When a task died; the first death is told.
    pub async fn wait(&self, deadline: Duration) -> anyhow::Result<()> {
        self.0.stopping.cancelled().await;
        self.0.tasks.close();
        if tokio::time::timeout(deadline, self.0.tasks.wait()).await.is_err() {
            let late: Vec<_> = self.state().running.values().cloned().collect();
            let names: Vec<_> = late.iter().map(|(name, _)| *name).collect();
            tracing::warn!(tasks = ?names, "the drain's deadline passed; cutting");
            for (_, task) in late {
                task.abort();
            }
        }
        self.state().failure.take().map_or(Ok(()), Err)
    }

    fn fail(&self, error: anyhow::Error) {
        tracing::error!(error = format!("{error:#}"), "stopping the process");
        self.state().failure.get_or_insert(error);
        self.stop();
    }

    /// The dull loop of a background job: calls `job` at once and then every `period`, logs an error and
    /// goes on, ends at the stop. A step under way is let finish; a late one is followed by a full
    /// period, never by a burst.
    pub fn spawn_every(&self, name: &'static str, period: Duration, mut job: impl Job) {
        let stop = self.stopping();
        self.spawn(name, async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    _ = ticks.tick() => {}
                }
                if let Err(error) = job.do_once().await {
                    tracing::error!(job = name, error = format!("{error:#}"), "background job");
                }
            }
        });
    }

    /// Watches a task that must outlive the drain, because requests under way still need it: its end before
    /// the stop fails the process like that of any other.
    pub fn guard(&self, name: &'static str, task: JoinHandle<()>) {
        let stop = self.stopping();
        self.spawn(name, async move {
            tokio::select! {
                ended = task => ended.map_err(anyhow::Error::from),
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A background job: one step of it, which [`Lifecycle::spawn_every`] repeats and tests call alone.
pub trait Job: Send + 'static {
    /// One step.
    ///
    /// # Errors
    /// Whatever went wrong; it is logged and the next step comes all the same.
    fn do_once(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_stop_waits_for_every_task() {
        let lifecycle = Lifecycle::new();
        let (stop, done) = (lifecycle.stopping(), Arc::new(AtomicU32::new(0)));
        let seen = done.clone();
        lifecycle.spawn("worker", async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            seen.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        lifecycle.stop();
        lifecycle.wait(SOON).await.unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_dying_task_stops_the_process_with_its_reason() {
        let lifecycle = Lifecycle::new();
        let stop = lifecycle.stopping();
        lifecycle.spawn("innocent", async move {
            stop.cancelled().await;
            Ok(())
        });
        lifecycle.spawn("releaser", async { anyhow::bail!("no lease") });
        let error = lifecycle.wait(SOON).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "background task releaser failed: no lease");
    }

    #[tokio::test]
    async fn ending_early_and_panicking_are_deaths_too() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("quitter", async { Ok(()) });
        let error = lifecycle.wait(SOON).await.unwrap_err();
        assert_eq!(error.to_string(), "background task quitter ended before the stop");

        let lifecycle = Lifecycle::new();
        lifecycle.spawn("fragile", async { panic!("expected by this test") });
        let error = lifecycle.wait(SOON).await.unwrap_err();
        assert_eq!(error.to_string(), "background task fragile panicked");
    }

    #[tokio::test]
    async fn the_deadline_cuts_a_task_that_does_not_stop() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("deaf", std::future::pending());
        lifecycle.stop();
        lifecycle.wait(Duration::from_millis(10)).await.unwrap();
    }

    #[tokio::test]
    async fn the_dull_loop_survives_errors_and_ends_at_the_stop() {
        let lifecycle = Lifecycle::new();
        let calls = Arc::new(AtomicU32::new(0));
        let job = Fragile { calls: calls.clone(), lifecycle: lifecycle.clone() };
        lifecycle.spawn_every("loop", Duration::from_millis(1), job);
        lifecycle.wait(SOON).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }

    struct Fragile {
        calls: Arc<AtomicU32>,
        lifecycle: Lifecycle,
    }

    impl Job for Fragile {
        async fn do_once(&mut self) -> anyhow::Result<()> {
            if self.calls.fetch_add(1, Ordering::SeqCst) == 2 {
                self.lifecycle.stop();
            }
            anyhow::bail!("expected by this test")
        }
    }
}
