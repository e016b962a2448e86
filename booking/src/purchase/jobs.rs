//! The background jobs of the money path: each is a `do_once` in its own module.

use std::time::Duration;

use shared::lifecycle::{Job, Lifecycle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::outbox::{self, Queue};
use super::{expiry, poller, purge, reconcile, stock};
use crate::app::App;
use crate::notify::turn;
use crate::seats::projection;

/// How often the seat hint in Redis is compared with Postgres.
const PROJECTION_PERIOD: Duration = Duration::from_secs(5);
/// How often the notifier looks for fans in a line whose turn has come.
const TURN_MAILS_PERIOD: Duration = Duration::from_secs(1);
/// How often what is past is forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(3_600);

pub(crate) fn spawn(app: &App, lifecycle: &Lifecycle) {
    let ms = Duration::from_millis;
    let settings = &app.settings;
    let jobs = [
        ("expiry", ms(settings.expiry_poll_ms), Task::Expiry),
        ("payment poller", ms(settings.payment_poll_ms), Task::Poller),
        ("reconciler", ms(settings.reconcile_poll_ms), Task::Reconciler),
        ("stock", ms(settings.stock_report_ms), Task::Stock),
        ("seat hint", PROJECTION_PERIOD, Task::Projection),
        ("turn mails", TURN_MAILS_PERIOD, Task::TurnMails),
        ("purge", PURGE_PERIOD, Task::Purge),
    ];
    for (name, period, task) in jobs {
        lifecycle.spawn_every(name, period, Repeated { app: app.clone(), task });
    }
    for (name, queue) in [("outbox", Queue::Deeds), ("mails", Queue::Mails)] {
        lifecycle.spawn(name, work(app.clone(), queue, ms(settings.outbox_poll_ms), lifecycle.stopping()));
    }
}

/// An outbox worker: looks when this process has written something, and now and then for what others left behind.
async fn work(app: App, queue: Queue, period: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = app.outbox.woken(queue) => {}
            _ = ticks.tick() => {}
        }
        if let Err(error) = outbox::drain(&app, queue).await {
            tracing::error!(?queue, error = format!("{error:#}"), "outbox");
        }
    }
}

enum Task {
    Expiry,
    Poller,
    Reconciler,
    Stock,
    Projection,
    TurnMails,
    Purge,
}

struct Repeated {
    app: App,
    task: Task,
}

impl Job for Repeated {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        match self.task {
            Task::Expiry => expiry::do_once(&self.app).await,
            Task::Poller => poller::do_once(&self.app).await,
            Task::Reconciler => reconcile::do_once(&self.app).await,
            Task::Stock => stock::do_once(&self.app).await,
            Task::Projection => projection::do_once(&self.app).await,
            Task::TurnMails => {
                turn::queue(&self.app.pool, self.app.clock.now()).await?;
                self.app.outbox.wake();
                Ok(())
            }
            Task::Purge => purge::do_once(&self.app).await,
        }
    }
}
