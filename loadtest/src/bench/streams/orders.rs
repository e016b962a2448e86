//! What the parent and its client processes say to each other: one JSON object a line, over the child's pipes.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Streams a client process may hold: below the 20,000 files that many systems allow a process.
pub(super) const FANS_MAX: u32 = 18_000;

/// Seconds told apart in [`Stats::quiet`]; the last one means that or more.
pub(super) const QUIET_S: usize = 120;

/// To a client process. Fans are numbered from 0 in each; `from..to` says which.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// The first, once.
    Begin(Setting),
    /// Join, each on a connection of its own that is then closed.
    Join { from: u32, to: u32, at: Vec<SocketAddr> },
    /// Open streams, after a join on the same connection if `joining`.
    Open { from: u32, to: u32, at: Vec<SocketAddr>, joining: bool },
    /// Say what was heard since the last time, and count anew.
    Mark,
}

/// What holds for all fans of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Setting {
    /// The first fan's number in the whole crowd: addresses and servers follow from it.
    pub first: u32,
    pub fans: u32,
    /// `/queue/an-evening/join`; only where fans join.
    pub join: String,
    /// `/queue/an-evening/events`
    pub events: String,
    /// A stream counts as open with its first event of this name; `None`: with its head.
    pub opened_by: Option<String>,
    /// How many may be on their way to an open stream at a time.
    pub at_once: u32,
}

/// From a client process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// All that were ordered to have joined.
    Joined,
    /// All that were ordered to are listening.
    Opened,
    /// A broadcast has reached every open stream.
    Told(Told),
    Marked(Box<Stats>),
    /// It ends here.
    Failed(String),
}

/// One broadcast, as one process heard it. Microseconds on this machine's clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Told {
    pub first_us: i64,
    pub last_us: i64,
    pub deliveries: u64,
    /// Of its frames alone, without chunks' lengths.
    pub bytes: u64,
}

/// What was heard since the last mark.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Stats {
    pub open: u32,
    /// Streams that were open and are not, since the beginning.
    pub ended: u32,
    /// Read in all, heads and chunks included.
    pub bytes: u64,
    pub positions: Heard,
    pub others: Heard,
    pub comments: Heard,
    /// From each call to being told, in microseconds.
    pub called_us: Vec<i64>,
    /// `admitted` frames.
    pub admitted: u64,
    /// Fewest and most broadcasts a stream has heard since the beginning.
    pub heard_least: u32,
    pub heard_most: u32,
    /// How many streams waited at longest so many seconds for a position; only those that are still in line.
    pub quiet: Vec<u32>,
    /// The first few things that went wrong, since the beginning.
    pub troubles: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    pub frames: u64,
    /// Of the frames alone.
    pub bytes: u64,
}

impl Heard {
    pub(super) fn count(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

impl Stats {
    /// What two processes heard together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.heard_least = if self.open == 0 { other.heard_least } else { self.heard_least.min(other.heard_least) };
        self.heard_most = self.heard_most.max(other.heard_most);
        self.open += other.open;
        self.ended += other.ended;
        self.bytes += other.bytes;
        self.positions.add(other.positions);
        self.others.add(other.others);
        self.comments.add(other.comments);
        self.called_us.extend(other.called_us);
        self.admitted += other.admitted;
        self.quiet.resize(self.quiet.len().max(other.quiet.len()), 0);
        self.quiet.iter_mut().zip(other.quiet).for_each(|(sum, more)| *sum += more);
        self.troubles.extend(other.troubles);
        self
    }
}
