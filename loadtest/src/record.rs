//! What the fans were told, in plain data: all that the judge knows from the outside.
//!
//! Times are microseconds since 1970 on this machine's wall clock, taken when the last byte of the
//! answer or event was read, unless a name says otherwise.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use crate::protocol::State;

/// A whole evening.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub fans: Vec<FanRecord>,
    pub pulses: Vec<PulseHeard>,
}

/// One look at the public totals.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PulseHeard {
    pub at_us: i64,
    pub state: String,
    pub lobby: u64,
    pub waiting: u64,
    pub called: u64,
    pub granted: u64,
    pub active: u64,
    pub sold_out: bool,
    pub rate_per_minute: u32,
}

/// One fan's evening.
#[derive(Debug, Default)]
pub(crate) struct FanRecord {
    pub number: u32,
    /// The first join was sent.
    pub join_sent_us: Option<i64>,
    /// The first join was answered.
    pub joined_us: Option<i64>,
    /// Documents, each when it differed from the one before.
    pub heard: Vec<Heard>,
    /// Positions, each when it differed from the one before.
    pub shown: Vec<Shown>,
    /// The first claim was sent.
    pub claim_sent_us: Option<i64>,
    /// A claim was answered with 202: it waits for the bucket.
    pub claim_accepted_us: Option<i64>,
    pub calls: Vec<Timed>,
    /// How often something had to be tried again, by reason.
    pub retries: BTreeMap<&'static str, u32>,
    pub purchase: Option<Purchase>,
    pub ending: Ending,
}

/// Where something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    Join,
    Status,
    Claim,
    Stream,
}

/// A document, as far as the judge needs it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub at_us: i64,
    pub via: Via,
    /// Of the event's id; answers do not carry one.
    pub epoch: Option<u64>,
    pub place: Option<Arc<str>>,
    pub state: State,
    pub order_key: Option<i64>,
    pub claim_deadline_us: Option<i64>,
    /// On Redis's clock.
    pub admitted_at_us: Option<i64>,
}

/// A position, as the fan saw it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub at_us: i64,
    pub epoch: Option<u64>,
    pub place: Arc<str>,
    pub position: u64,
    /// The server knew what it had shown last (same stream, Last-Event-ID, or `shown`), and so had
    /// to show no more than that.
    pub capped: bool,
}

/// The calls whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Account,
    Session,
    Join,
    Status,
    Stream,
    Claim,
    Seats,
    Checkout,
    Confirm,
    Booking,
    Leave,
}

/// One answered attempt of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub kind: Kind,
    pub took_us: u64,
}

/// What a fan was told it bought.
#[derive(Clone, Debug)]
pub(crate) struct Purchase {
    pub booking_id: Uuid,
    pub event_id: Uuid,
    pub seats: Vec<String>,
    pub total: i64,
    pub currency: String,
}

/// How a fan's evening ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Told that the booking is completed.
    Bought,
    /// Told, in line or at checkout, that nothing is left.
    SoldOut,
    /// Told that the drop has ended.
    DropEnded,
    /// Closed everything without a word, as planned.
    WentSilent,
    /// Anything a fan who stayed must not meet.
    Lost { why: String },
    /// The run's time was over; `state` is the last one the fan was told.
    TimedOut { state: Option<State> },
    /// Never arrived.
    #[default]
    Absent,
}

impl FanRecord {
    /// Writes down a document unless it repeats the last one.
    pub(crate) fn hear(&mut self, heard: Heard) {
        let repeats = self.heard.last().is_some_and(|last| {
            last.state == heard.state
                && last.place == heard.place
                && last.epoch == heard.epoch
                && last.order_key == heard.order_key
                && last.claim_deadline_us == heard.claim_deadline_us
                && last.admitted_at_us == heard.admitted_at_us
        });
        if !repeats {
            self.heard.push(heard);
        }
    }

    /// Writes down a position unless it repeats the last one.
    pub(crate) fn see(&mut self, shown: Shown) {
        let repeats = self.shown.last().is_some_and(|last| {
            last.position == shown.position && last.place == shown.place && last.epoch == shown.epoch
        });
        if !repeats {
            self.shown.push(shown);
        }
    }

    /// The first admission the fan was told of.
    pub(crate) fn admitted_at_us(&self) -> Option<i64> {
        self.heard.iter().find_map(|heard| heard.admitted_at_us)
    }
}
