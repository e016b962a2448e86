//! Everybody this process holds of one drop: one look at the line serves them all.

mod speed;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use admission::{
    ids::{DropId, OrderKey, Place},
    line::{Change, Counts, DropState, Face, Line, LineError, Watched},
    position::Pivots,
};
use dashmap::{DashMap, Entry};
use shared::lifecycle::Lifecycle;
use speed::Speed;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{Settings, error::Error};

/// A tick with positions comes this often.
const TICK: Duration = Duration::from_secs(1);

/// Streams one place may have open in this process: a fan's tabs and devices.
const STREAMS_PER_PLACE_MAX: usize = 8;

/// The line as one look saw it.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    pub(crate) drop: DropState,
    pub(crate) counts: Counts,
    pub(crate) face: Face,
    pivots: Pivots,
    /// Fans a second the front moves by.
    pub(crate) speed: f64,
}

impl Tick {
    /// How many stand before the holder of `key`; `None` when this look cannot say: the lobby is being
    /// drawn, or the key was given after it (those who came in between would be missing, and a position
    /// shown too low could never be put right).
    pub(crate) fn ahead(&self, key: OrderKey) -> Option<u64> {
        let drawing = self.drop.is_open() && self.counts.lobby > 0;
        (!drawing && key.0 <= self.drop.now).then(|| self.pivots.ahead(key))
    }
}

/// All drops somebody asked for. Only drops that exist get a crowd, so their number is bounded.
#[derive(Clone)]
pub(crate) struct Crowds {
    all: Arc<DashMap<DropId, Arc<Crowd>>>,
    line: Line,
    watch_every: Duration,
    lifecycle: Lifecycle,
}

impl Crowds {
    pub(crate) fn new(line: Line, settings: &Settings, lifecycle: Lifecycle) -> Self {
        Self { all: Arc::default(), line, watch_every: Duration::from_millis(settings.watch_every_ms), lifecycle }
    }

    /// Whether this process has seen the drop alive.
    pub(crate) fn knows(&self, drop: &DropId) -> bool {
        self.all.contains_key(drop)
    }

    /// The crowd of a drop, watched from the first time somebody asks.
    pub(crate) async fn of(&self, drop: &DropId) -> Result<Arc<Crowd>, Error> {
        if let Some(crowd) = self.all.get(drop) {
            return Ok(crowd.clone());
        }
        let first = match self.line.watch(drop, None, true).await {
            Err(LineError::Restoring) => return Err(Error::UnknownDrop),
            answer => answer?,
        };
        match self.all.entry(drop.clone()) {
            // somebody else asked at the same moment
            Entry::Occupied(crowd) => Ok(crowd.get().clone()),
            Entry::Vacant(vacant) => {
                let crowd = Arc::new(Crowd { ticks: watch::Sender::new(Arc::default()), fans: DashMap::new() });
                let watcher = Watcher::new(self.line.clone(), drop.clone(), Arc::downgrade(&crowd), first);
                let (every, stopping) = (self.watch_every, self.lifecycle.stopping());
                self.lifecycle.spawn("crowd watcher", async move {
                    watcher.run(every, stopping).await;
                    Ok(())
                });
                Ok(vacant.insert(crowd).clone())
            }
        }
    }
}

/// The fans of one drop that listen here.
#[derive(Debug)]
pub(crate) struct Crowd {
    ticks: watch::Sender<Arc<Tick>>,
    fans: DashMap<Place, watch::Sender<u64>>,
}

impl Crowd {
    pub(crate) fn tick(&self) -> Arc<Tick> {
        self.ticks.borrow().clone()
    }

    pub(crate) fn ticks(&self) -> watch::Receiver<Arc<Tick>> {
        self.ticks.subscribe()
    }

    /// Wakes whenever something happened to `place`, until dropped. `None` when as many streams as one
    /// place may have listen already.
    pub(crate) fn listen(self: &Arc<Self>, place: Place) -> Option<Listener> {
        let fan = self.fans.entry(place).or_insert_with(|| watch::Sender::new(0));
        (fan.receiver_count() < STREAMS_PER_PLACE_MAX).then(|| Listener {
            crowd: self.clone(),
            place,
            woken: Some(fan.subscribe()),
        })
    }

    fn wake(&self, place: &str) {
        if let Some(fan) = Place::parse(place).and_then(|place| self.fans.get(&place)) {
            fan.send_modify(|times| *times += 1);
        }
    }

    fn wake_all(&self) {
        for fan in &self.fans {
            fan.send_modify(|times| *times += 1);
        }
    }
}

/// One stream's ear. Several tabs may listen for one place.
pub(crate) struct Listener {
    crowd: Arc<Crowd>,
    place: Place,
    woken: Option<watch::Receiver<u64>>,
}

impl Listener {
    pub(crate) async fn woken(&mut self) {
        if let Some(woken) = &mut self.woken
            && woken.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.woken = None;
        self.crowd.fans.remove_if(&self.place, |_, fan| fan.receiver_count() == 0);
    }
}

/// Reads the line for one crowd.
struct Watcher {
    line: Line,
    drop: DropId,
    crowd: Weak<Crowd>,
    last_change: String,
    number: u64,
    epoch: u64,
    speed: Speed,
}

impl Watcher {
    fn new(line: Line, drop: DropId, crowd: Weak<Crowd>, first: (DropState, Watched)) -> Self {
        let last_change = first.1.last_change.clone();
        let epoch = first.0.epoch;
        let mut watcher = Self { line, drop, crowd, last_change, number: 0, epoch, speed: Speed::default() };
        watcher.publish(first.0, first.1);
        watcher
    }

    async fn run(mut self, every: Duration, stopping: CancellationToken) {
        let mut looks = tokio::time::interval(every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut last_tick = tokio::time::Instant::now();
        let mut failing = false;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = stopping.cancelled() => return,
            }
            let tick_due = last_tick.elapsed() >= TICK;
            match self.look(tick_due).await {
                Ok(ticked) => {
                    failing = false;
                    if ticked {
                        last_tick = tokio::time::Instant::now();
                    }
                }
                // one line when it begins; fans keep the last they were shown
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = &error as &dyn std::error::Error, drop = %self.drop, "watching the line");
                }
                Err(_) => {}
            }
            if self.crowd.strong_count() == 0 {
                return;
            }
        }
    }

    /// Reads what changed and wakes whom it concerns; publishes a tick when one is due or when the
    /// drop itself changed. Returns whether it did.
    async fn look(&mut self, tick_due: bool) -> Result<bool, LineError> {
        let (drop, mut watched) = self.line.watch(&self.drop, Some(&self.last_change), tick_due).await?;
        let Some(crowd) = self.crowd.upgrade() else { return Ok(false) };
        let ticked = tick_due || watched.changes.contains(&Change::Drop);
        if ticked && !tick_due {
            // before anything is taken note of: should this fail, the changes are read again
            let now = self.line.watch(&self.drop, None, true).await?.1;
            (watched.pivots, watched.face) = (now.pivots, now.face);
        }
        let look_at_all = drop.epoch != self.epoch || watched.changes.contains(&Change::Gap);
        self.epoch = drop.epoch;
        self.last_change.clone_from(&watched.last_change);
        let changes = std::mem::take(&mut watched.changes);
        if ticked {
            self.publish(drop, watched);
        }
        if look_at_all {
            crowd.wake_all();
        } else {
            for change in &changes {
                if let Change::Place(place) = change {
                    crowd.wake(place);
                }
            }
        }
        Ok(ticked)
    }

    fn publish(&mut self, drop: DropState, watched: Watched) {
        self.number += 1;
        let speed = self.speed.measure(drop.now, watched.counts.called_total, drop.rate_per_minute);
        if let Some(crowd) = self.crowd.upgrade() {
            let pivots = Pivots::new(watched.pivots, watched.counts.waiting);
            let tick = Tick { number: self.number, drop, counts: watched.counts, face: watched.face, pivots, speed };
            crowd.ticks.send_replace(Arc::new(tick));
        }
    }
}
