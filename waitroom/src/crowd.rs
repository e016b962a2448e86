//! Everybody this process holds of one drop: one look at the line serves them all.

use std::{sync::Arc, time::Duration};

use admission::{
    estimate::{Meter, Speed},
    ids::{DropId, OrderKey, Place},
    line::{Change, Counts, DropState, Face, Line, LineError, Watched},
    position::Pivots,
};
use arc_swap::ArcSwap;
use dashmap::{DashMap, Entry};
use metrics::Counter;
use shared::lifecycle::Lifecycle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    Settings,
    card::Card,
    error::Error,
    hub::{Hub, News},
};

/// A tick with positions comes this often.
const TICK: Duration = Duration::from_secs(1);

/// The line as one look saw it.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    pub(crate) drop: DropState,
    pub(crate) counts: Counts,
    pub(crate) face: Face,
    pivots: Pivots,
    pub(crate) speed: Speed,
}

impl Tick {
    /// One at which the holder of `key` has `waiting` before them.
    #[cfg(test)]
    pub(crate) fn of_waiting(number: u64, drop: DropState, waiting: u64, key: OrderKey) -> Self {
        let counts = Counts { waiting, ..Counts::default() };
        Self { number, drop, counts, pivots: Pivots::new(vec![(waiting, key)]), ..Self::default() }
    }

    /// How many stand before the holder of `key`; `None` when this look cannot say: the lobby is being
    /// drawn, or the key was given after it (those who came in between would be missing, and a position
    /// shown too low could never be put right), or its holder had been called or had left by then.
    pub(crate) fn ahead(&self, key: OrderKey) -> Option<u64> {
        let drawing = self.drop.is_open() && self.counts.lobby > 0;
        (!drawing && key.0 <= self.drop.now).then(|| self.pivots.ahead(key)).flatten()
    }
}

/// All drops somebody asked for. Only drops that exist get a crowd, so their number is bounded.
#[derive(Clone)]
pub(crate) struct Crowds {
    all: Arc<DashMap<DropId, Arc<Crowd>>>,
    line: Line,
    hub: Hub,
    watch_every: Duration,
    lifecycle: Lifecycle,
}

impl Crowds {
    pub(crate) fn new(line: Line, hub: Hub, settings: &Settings, lifecycle: Lifecycle) -> Self {
        let watch_every = Duration::from_millis(settings.watch_every_ms);
        Self { all: Arc::default(), line, hub, watch_every, lifecycle }
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
        // once a drop: boxed, or every request that waits would hold the room for it
        Box::pin(self.meet(drop)).await
    }

    async fn meet(&self, drop: &DropId) -> Result<Arc<Crowd>, Error> {
        let first = match self.line.watch(drop, None, true).await {
            Err(LineError::Restoring) => return Err(Error::UnknownDrop),
            answer => answer?,
        };
        match self.all.entry(drop.clone()) {
            // somebody else asked at the same moment
            Entry::Occupied(crowd) => Ok(crowd.get().clone()),
            Entry::Vacant(vacant) => {
                let crowd = Arc::new(Crowd::new(drop, Tick::default()));
                let ways = (self.line.clone(), self.hub.clone());
                let watcher = Watcher::new(ways, drop.clone(), crowd.clone(), first);
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

/// What this process knows of one drop.
#[derive(Debug)]
pub(crate) struct Crowd {
    tick: ArcSwap<Tick>,
    card: Card,
    new_joins: Counter,
    known_joins: Counter,
}

impl Crowd {
    #[cfg(test)]
    pub(crate) fn of_tick(drop: &DropId, tick: Tick) -> Arc<Self> {
        Arc::new(Self::new(drop, tick))
    }

    fn new(drop: &DropId, tick: Tick) -> Self {
        let joins = |known| metrics::counter!("onsale_joins_total", "drop" => drop.to_string(), "known" => known);
        Self {
            tick: ArcSwap::from_pointee(tick),
            card: Card::new(drop),
            new_joins: joins("false"),
            known_joins: joins("true"),
        }
    }

    pub(crate) fn tick(&self) -> Arc<Tick> {
        self.tick.load_full()
    }

    /// Counts a join that took a new place, or found the one there was.
    pub(crate) fn count_join(&self, is_new: bool) {
        if is_new { &self.new_joins } else { &self.known_joins }.increment(1);
    }

    /// How the estimates shown here turned out.
    pub(crate) fn card(&self) -> &Card {
        &self.card
    }
}

/// Reads the line for one crowd.
struct Watcher {
    line: Line,
    hub: Hub,
    drop: DropId,
    crowd: Arc<Crowd>,
    last_change: String,
    number: u64,
    epoch: u64,
    meter: Meter,
}

impl Watcher {
    fn new((line, hub): (Line, Hub), drop: DropId, crowd: Arc<Crowd>, first: (DropState, Watched)) -> Self {
        let last_change = first.1.last_change.clone();
        let epoch = first.0.epoch;
        let mut watcher = Self { line, hub, drop, crowd, last_change, number: 0, epoch, meter: Meter::default() };
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
        }
    }

    /// Reads what changed and tells the streams; publishes a tick when one is due or when the drop itself
    /// changed. Returns whether it did.
    async fn look(&mut self, tick_due: bool) -> Result<bool, LineError> {
        let (mut drop, mut watched) = self.line.watch(&self.drop, Some(&self.last_change), tick_due).await?;
        let (changes, last_change) = (std::mem::take(&mut watched.changes), watched.last_change.clone());
        let ticked = tick_due || changes.contains(&Change::Drop);
        if ticked && !tick_due {
            // A look of its own, and all of it: counts and keys of two moments would make wrong positions. Before
            // anything is taken note of: should this fail, the changes are read again.
            (drop, watched) = self.line.watch(&self.drop, None, true).await?;
        }
        let epoch = drop.epoch;
        let all = epoch != self.epoch || changes.contains(&Change::Gap);
        let places = changes.iter().filter_map(place_of).collect();
        let tick = ticked.then(|| self.publish(drop, watched));
        let news = News { drop: self.drop.clone(), tick, places, all };
        // a hub that is too far behind reads these changes again at the next look
        if news.is_empty() || self.hub.tell(news) {
            self.epoch = epoch;
            self.last_change = last_change;
        }
        // what could not be reported stays in the card for the next time
        if ticked && let Err(error) = self.crowd.card.report(&self.line, &self.drop).await {
            tracing::warn!(error = &error as &dyn std::error::Error, drop = %self.drop, "reporting the estimates");
        }
        Ok(ticked)
    }

    fn publish(&mut self, drop: DropState, watched: Watched) -> Arc<Tick> {
        self.number += 1;
        let speed = self.meter.measure(&drop, &watched.counts);
        let pivots = Pivots::new(watched.pivots);
        let tick = Tick { number: self.number, drop, counts: watched.counts, face: watched.face, pivots, speed };
        let tick = Arc::new(tick);
        self.crowd.tick.store(tick.clone());
        tick
    }
}

fn place_of(change: &Change) -> Option<Place> {
    match change {
        Change::Place(place) => Place::parse(place),
        Change::Drop | Change::Gap => None,
    }
}
