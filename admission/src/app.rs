//! The composition root: what the service is made of, and the loops it runs.

use std::{sync::Arc, time::Duration};

use axum::Router;
use shared::{
    clock::Clock,
    keyring::Keyring,
    lifecycle::{Job, Lifecycle},
    pages::Site,
    redis::Redis,
};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Settings,
    draw::{Drawer, Relays},
    drops,
    drops::{Drop, State},
    line::{Line, LineError},
    mails::{Mails, MailsError},
    marks::Keeper,
    password::Passwords,
    release::Releaser,
    routes,
};

/// How often live drops are read and marks written.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// How often lines of drops that ended long ago are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether a draw can go on.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// What fans read while booking does not answer.
pub const BOOKING_SILENT: &str = "The ticket shop is not answering. You keep your place; it goes on by itself.";

/// What the service needs from outside.
pub struct Deps {
    pub pool: PgPool,
    pub redis: Redis,
    pub keyring: Keyring,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub site: Site,
}

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) pool: PgPool,
    pub(crate) line: Line,
    pub(crate) passwords: Passwords,
    pub(crate) clock: Clock,
    pub(crate) stopping: CancellationToken,
    pub(crate) site: Site,
}

/// The operators' API as a router, its loops running on `deps.lifecycle`.
pub async fn build(settings: Settings, deps: Deps) -> anyhow::Result<Router> {
    let app = App {
        pool: deps.pool,
        line: Line::new(deps.redis),
        passwords: Passwords::new(&deps.keyring),
        clock: deps.clock,
        stopping: deps.lifecycle.stopping(),
        site: deps.site,
    };
    let (live, known) = watch::channel(Arc::from(Vec::new()));
    let keeper = || Keeper::new(app.pool.clone(), settings.regather_s);
    let sweep = Sweep { line: app.line.clone(), keeper: keeper() };
    deps.lifecycle.spawn_every("line sweeper", SWEEP_EVERY, sweep);
    deps.lifecycle.spawn_every("line keeper", KEEP_EVERY, KeepLines { app: app.clone(), keeper: keeper(), live });
    let silent_us = settings.booking_silent_s.saturating_mul(1_000_000);
    let watchdog = WatchBooking { line: app.line.clone(), silent_us, live: known.clone() };
    deps.lifecycle.spawn_every("booking watchdog", KEEP_EVERY, watchdog);
    let drawer = Drawer::new(app.pool.clone(), Relays::new(&settings.draw)?);
    let draw = Draw { line: app.line.clone(), drawer, live: known.clone() };
    deps.lifecycle.spawn_every("draw", DRAW_EVERY, draw);
    let mails = TurnMails { line: app.line.clone(), mails: Mails::new(app.pool.clone()), live: known.clone() };
    deps.lifecycle.spawn_every("turn mails", KEEP_EVERY, mails);
    let release = Release { line: app.line.clone(), releaser: Releaser::default(), live: known };
    deps.lifecycle.spawn_every("release loop", Duration::from_millis(settings.release_every_ms), release);
    Ok(routes::router(app, &settings))
}

/// Reads the live drops and keeps their marks. While Postgres is away the known drops go on.
struct KeepLines {
    app: App,
    keeper: Keeper,
    live: watch::Sender<Arc<[Drop]>>,
}

impl Job for KeepLines {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        let drops: Arc<[Drop]> = drops::live(&self.app.pool).await?.into();
        // the lines that stand go on while others are put back
        self.live.send_replace(drops.clone());
        let mut outcome = Ok(());
        for drop in drops.iter() {
            if let Err(error) = self.keeper.keep(&self.app.line, drop).await {
                outcome = Err(anyhow::Error::new(error).context(format!("drop {}", drop.id)));
            }
        }
        outcome
    }
}

/// Removes lines nobody will ask for any more.
struct Sweep {
    line: Line,
    keeper: Keeper,
}

impl Job for Sweep {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        Ok(self.keeper.sweep(&self.line).await?)
    }
}

/// Pauses drops while booking is silent. Redis only: the outage of Postgres is what it is for.
struct WatchBooking {
    line: Line,
    silent_us: u64,
    live: watch::Receiver<Arc<[Drop]>>,
}

impl Job for WatchBooking {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        let drops = self.live.borrow().clone();
        let mut outcome = Ok(());
        for drop in drops.iter() {
            match self.line.watch_booking(&drop.id, self.silent_us, BOOKING_SILENT).await {
                Ok(()) | Err(LineError::Restoring) => {}
                Err(error) => outcome = Err(anyhow::Error::new(error).context(format!("drop {}", drop.id))),
            }
        }
        outcome
    }
}

/// Carries the draws of live drops through.
struct Draw {
    line: Line,
    drawer: Drawer,
    live: watch::Receiver<Arc<[Drop]>>,
}

impl Job for Draw {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        let drops = self.live.borrow().clone();
        let failed = self.drawer.draw(&self.line, &drops).await;
        let last = failed.into_iter().next_back();
        last.map_or(Ok(()), |(id, error)| Err(anyhow::Error::new(error).context(format!("drop {id}"))))
    }
}

/// Finds those who asked to be written to when it is their turn.
struct TurnMails {
    line: Line,
    mails: Mails,
    live: watch::Receiver<Arc<[Drop]>>,
}

impl Job for TurnMails {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        let drops = self.live.borrow().clone();
        let mut outcome = self.mails.forget_ended(&self.line, &drops).await.map_err(anyhow::Error::new);
        for drop in drops.iter().filter(|drop| drop.state != State::Ended) {
            match self.mails.follow(&self.line, &drop.id).await {
                // the keeper makes it again within a second
                Ok(()) | Err(MailsError::Line(LineError::Restoring)) => {}
                Err(error) => outcome = Err(anyhow::Error::new(error).context(format!("drop {}", drop.id))),
            }
        }
        outcome
    }
}

/// Steps every live drop.
struct Release {
    line: Line,
    releaser: Releaser,
    live: watch::Receiver<Arc<[Drop]>>,
}

impl Job for Release {
    async fn do_once(&mut self) -> anyhow::Result<()> {
        let drops = self.live.borrow().clone();
        self.releaser.keep_only(&drops);
        let mut outcome = Ok(());
        for drop in drops.iter() {
            match self.releaser.release(&self.line, drop).await {
                // the keeper makes it again within a second
                Ok(_) | Err(LineError::Restoring) => {}
                Err(error) => outcome = Err(anyhow::Error::new(error).context(format!("drop {}", drop.id))),
            }
        }
        outcome
    }
}
