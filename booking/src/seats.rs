//! The seats of an event: what the map shows, which seats are best and who is offered which, and the hint in Redis
//! that spares Postgres the losers. Only Postgres decides who owns a seat.

pub(crate) mod board;
pub mod chooser;
pub(crate) mod hall;
pub mod holds;
pub(crate) mod inventory;
pub(crate) mod live;
pub(crate) mod plan;
pub mod projection;
pub(crate) mod returned;
pub mod snapshot;

use std::time::Duration;

use crate::settings::Settings;

use chooser::Chooser;
use holds::Holds;
use inventory::Inventories;

/// What this process remembers about the seats of all events.
pub struct Seats {
    pub(crate) chooser: Chooser,
    pub(crate) holds: Holds,
    pub(crate) inventories: Inventories,
}

impl Seats {
    pub(crate) fn new(settings: &Settings) -> Self {
        Seats {
            chooser: Chooser::new(),
            holds: Holds::new(Duration::from_millis(settings.hold_timeout_ms)),
            inventories: Inventories::new(),
        }
    }
}
