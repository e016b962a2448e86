use serde::Deserialize;
use shared::rate_limit::Quota;

/// The waitroom role's settings (`[waitroom]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Joins, an address. Many fans share one behind a carrier's NAT, so it is wide.
    pub join: Quota,
    /// Live streams of this process; more are told to come back.
    pub streams_max: usize,
    /// Time between two looks at what changed, in milliseconds.
    pub watch_every_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { join: Quota { per_minute: 600, burst: 200 }, streams_max: 15_000, watch_every_ms: 50 }
    }
}
