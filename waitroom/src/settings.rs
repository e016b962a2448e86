use serde::Deserialize;
use shared::rate_limit::Quota;

/// The waitroom role's settings (`[waitroom]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Joins, an address. Many fans share one behind a carrier's NAT, so it is wide.
    pub join: Quota,
    /// Codes that move a place, asked for by an address.
    pub code: Quota,
    /// Codes an address may hand in, right or wrong.
    pub moves: Quota,
    /// Mails an address may ask for.
    pub mail: Quota,
    /// Live streams of this process; more are told to come back.
    pub streams_max: usize,
    /// Live streams of one address (IPv6: of one /64). Many fans share one behind a carrier's NAT, so it is wide.
    pub streams_per_address_max: u32,
    /// How long a stream may take nothing before it is dropped, in seconds.
    pub streams_stall_s: u64,
    /// Time between two looks at what changed, in milliseconds.
    pub watch_every_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            join: Quota { per_minute: 600, burst: 200 },
            code: Quota { per_minute: 60, burst: 20 },
            moves: Quota { per_minute: 30, burst: 10 },
            mail: Quota { per_minute: 60, burst: 20 },
            streams_max: 15_000,
            streams_per_address_max: 2_000,
            streams_stall_s: 20,
            watch_every_ms: 50,
        }
    }
}
