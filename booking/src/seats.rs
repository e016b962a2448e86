//! The seats of an event: what the map shows, which seats are best, and the hint in Redis that spares
//! Postgres the losers. Only Postgres decides who owns a seat.

pub(crate) mod best_available;
pub(crate) mod holds;
pub(crate) mod inventory;
pub(crate) mod live;
pub(crate) mod plan;
pub mod projection;
pub mod snapshot;

use std::time::Duration;

use crate::settings::Settings;

use holds::Holds;
use inventory::Inventories;

/// What this process remembers about the seats of all events.
pub struct Seats {
    pub(crate) holds: Holds,
    pub(crate) inventories: Inventories,
}

impl Seats {
    pub(crate) fn new(settings: &Settings) -> Self {
        Seats { holds: Holds::new(Duration::from_millis(settings.hold_timeout_ms)), inventories: Inventories::new() }
    }
}
