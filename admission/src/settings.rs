use serde::Deserialize;
use shared::rate_limit::Quota;

/// The admission role's settings (`[admission]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Time between two steps of the release loop, in milliseconds.
    pub release_every_ms: u64,
    /// After a loss of Redis: how long returning fans gather before anybody is called, in seconds.
    pub regather_s: u64,
    /// How long booking may not report its stock before a drop pauses by itself, in seconds.
    pub booking_silent_s: u64,
    /// The beacon whose rounds may order the lobby.
    pub draw: crate::draw::Settings,
    /// Sign-in attempts of operators, an address.
    pub sign_in: Quota,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            release_every_ms: 50,
            regather_s: 60,
            booking_silent_s: 5,
            draw: crate::draw::Settings::default(),
            sign_in: Quota { per_minute: 10, burst: 5 },
        }
    }
}
