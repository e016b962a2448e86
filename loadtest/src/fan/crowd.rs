//! What all fans of a run share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{sync::OnceCell, time::Instant};
use uuid::Uuid;

use crate::{http::Target, protocol::Layout, record::Ending};

/// The sale, and the counts the progress bar shows.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub target: Arc<Target>,
    pub drop: String,
    /// The events on sale.
    pub events: Vec<Uuid>,
    /// Makes names and addresses of this run unlike those of any other.
    pub run: String,
    /// Whatever a fan is doing ends here.
    pub deadline: Instant,
    pub tallies: Tallies,
    pub layouts: Layouts,
}

/// Seat layouts are immutable, so a browser's cache would hold them: fetched once, by the first
/// fan who wants one.
#[derive(Debug, Default)]
pub(crate) struct Layouts(Mutex<HashMap<String, Arc<OnceCell<Layout>>>>);

impl Layouts {
    pub(crate) fn slot(&self, path: &str) -> Arc<OnceCell<Layout>> {
        let mut slots = self.0.lock().expect("nothing panics under this lock");
        slots.entry(path.to_owned()).or_default().clone()
    }
}

/// Running counts; each fan is counted once in each.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub accounts: AtomicU64,
    pub joined: AtomicU64,
    pub admitted: AtomicU64,
    pub bought: AtomicU64,
    pub tickets: AtomicU64,
    pub sold_out: AtomicU64,
    pub left: AtomicU64,
    pub lost: AtomicU64,
}

impl Tallies {
    pub(crate) fn account(&self) {
        self.accounts.fetch_add(1, Relaxed);
    }

    pub(crate) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    pub(crate) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
    }

    pub(crate) fn tickets(&self, count: usize) {
        self.tickets.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn ended(&self, ending: &Ending) {
        let count = match ending {
            Ending::Bought => &self.bought,
            Ending::SoldOut | Ending::DropEnded => &self.sold_out,
            Ending::WentSilent => &self.left,
            Ending::Lost { .. } | Ending::TimedOut { .. } | Ending::Absent => &self.lost,
        };
        count.fetch_add(1, Relaxed);
    }

    /// How many fans are done.
    pub(crate) fn done(&self) -> u64 {
        [&self.bought, &self.sold_out, &self.left, &self.lost].iter().map(|count| count.load(Relaxed)).sum()
    }
}
