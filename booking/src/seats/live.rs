//! Seat maps while somebody watches them: one watcher an event and process, however many listen.

mod history;
mod rooms;

use std::{net::IpAddr, sync::Arc, time::Duration};

use dashmap::{DashMap, Entry};
use shared::lifecycle::Lifecycle;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{holds::Taken, snapshot::Snapshot};
use crate::{app::App, error::Error, settings::Settings};

pub(crate) use history::State;
pub(crate) use rooms::Room;

/// While the hint in Redis does not move, Postgres is compared this often: sales, withdrawn seats and whatever
/// Redis missed.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// After the hint moved Postgres is read at every look for so long: the hold comes before the commit.
const RESTLESS: Duration = Duration::from_secs(3);

/// The latest state, and word of every new one.
pub(crate) type Listener = watch::Receiver<Arc<State>>;

/// What somebody who wants an event's seats live gets.
pub(crate) enum Seats {
    Live(Listener),
    /// As they stand; nobody looks for changes.
    Still(Arc<State>),
}

type ByEvent = Arc<DashMap<Uuid, watch::Sender<Arc<State>>>>;

/// The watched events of this process.
pub(crate) struct Lives {
    by_event: ByEvent,
    watched_max: usize,
    rooms: rooms::Rooms,
    stopping: CancellationToken,
    /// To the task that runs the watchers.
    watchers: mpsc::UnboundedSender<Watcher>,
}

impl Lives {
    pub(crate) fn new(settings: &Settings, lifecycle: &Lifecycle) -> Self {
        let by_event = ByEvent::default();
        let every = Duration::from_millis(settings.seats_watch_ms.max(1));
        let (watchers, wanted) = mpsc::unbounded_channel();
        lifecycle.spawn("seat watchers", run_all(wanted, by_event.clone(), every, lifecycle.stopping()));
        let rooms = rooms::Rooms::new(settings.streams_max, settings.streams_per_address_max);
        Self { by_event, watched_max: settings.seats_watched_max, rooms, stopping: lifecycle.stopping(), watchers }
    }

    /// Room for one more stream, until dropped; `None` when the process or the address has all it may have.
    pub(crate) fn room(&self, address: IpAddr) -> Option<Room> {
        self.rooms.take(address)
    }

    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// The event's seats; watched as long as somebody listens, if they may change.
    ///
    /// # Errors
    /// `EventUnknown`, `Unavailable`
    pub(crate) async fn listen(&self, app: &App, event_id: Uuid) -> Result<Seats, Error> {
        if let Some(watched) = self.by_event.get(&event_id) {
            return Ok(Seats::Live(watched.subscribe()));
        }
        let first = app.snapshots.of(&app.pool, event_id).await?.ok_or(Error::EventUnknown)?;
        // anybody may ask for any event there is: looking after those that nobody buys from would be work for nothing
        let is_full = self.by_event.len() >= self.watched_max;
        if is_full || first.packed.is_empty() || !is_selling(app, event_id).await? {
            return Ok(Seats::Still(Arc::new(State::first(first))));
        }
        match self.by_event.entry(event_id) {
            // somebody else came at the same moment
            Entry::Occupied(watched) => Ok(Seats::Live(watched.get().subscribe())),
            Entry::Vacant(vacant) => {
                let (sender, listener) = watch::channel(Arc::new(State::first(first)));
                let watcher = Watcher::new(app.clone(), event_id, sender.borrow().snapshot.clone());
                vacant.insert(sender);
                // nobody runs it only while the process stops, and then the stream says so
                let _ = self.watchers.send(watcher);
                Ok(Seats::Live(listener))
            }
        }
    }
}

/// In a drop that has not ended.
async fn is_selling(app: &App, event_id: Uuid) -> Result<bool, Error> {
    let details = app.details.of(&app.pool, event_id).await?;
    Ok(details.is_some_and(|details| details.drop.as_ref().is_some_and(|drop| drop.state != "ended")))
}

/// Runs every watcher until it ends by itself; one that panics takes the process down.
async fn run_all(
    mut wanted: mpsc::UnboundedReceiver<Watcher>,
    all: ByEvent,
    every: Duration,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            Some(watcher) = wanted.recv() => {
                running.spawn(watcher.run(all.clone(), every));
            }
            Some(ended) = running.join_next() => ended?,
        }
    }
}

/// Looks for changes of one event's seats.
struct Watcher {
    app: App,
    event_id: Uuid,
    shown: Arc<Snapshot>,
    /// What Redis said last.
    hint: Option<Taken>,
    moved_at: Instant,
    compared_at: Instant,
    failing: bool,
}

impl Watcher {
    fn new(app: App, event_id: Uuid, shown: Arc<Snapshot>) -> Self {
        let now = Instant::now();
        Self { app, event_id, shown, hint: None, moved_at: now, compared_at: now, failing: false }
    }

    /// Until nobody listens.
    async fn run(mut self, all: ByEvent, every: Duration) {
        let mut looks = tokio::time::interval(every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // listeners subscribe under the same lock: none can slip in between
            if all.remove_if(&self.event_id, |_, watched| watched.receiver_count() == 0).is_some() {
                return;
            }
            if let Some(fresh) = self.look().await
                && let Some(watched) = all.get(&self.event_id)
            {
                watched.send_modify(|state| *state = Arc::new(state.next(fresh)));
            }
        }
    }

    /// A newer snapshot, if there is one.
    async fn look(&mut self) -> Option<Arc<Snapshot>> {
        if !self.is_worth_reading().await {
            return None;
        }
        match self.app.snapshots.of(&self.app.pool, self.event_id).await {
            Ok(Some(fresh)) if fresh.version != self.shown.version => {
                self.failing = false;
                self.shown = fresh.clone();
                Some(fresh)
            }
            Ok(_) => {
                self.failing = false;
                None
            }
            // one line when it begins; listeners keep what they were shown
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(error = &error as &dyn std::error::Error, event_id = %self.event_id, "watching seats");
                None
            }
            Err(_) => None,
        }
    }

    /// Reading a stadium's seats costs Postgres some work; Redis says in a glance whether anything moved.
    async fn is_worth_reading(&mut self) -> bool {
        let now = Instant::now();
        let hint = self.app.seats.holds.peek(&self.app.redis, self.event_id).await;
        let stands_still = match (&self.hint, &hint) {
            // also while Redis knows nothing of the event: a hold would have begun a projection
            (Some(before), Some(now)) => before.is_like(now),
            _ => false, // no hint: Postgres has to be asked
        };
        self.hint = hint;
        if !stands_still {
            self.moved_at = now;
        }
        let due = now - self.moved_at < RESTLESS || now - self.compared_at >= COMPARE_EVERY;
        if due {
            self.compared_at = now;
        }
        due
    }
}
