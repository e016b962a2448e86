//! How far to call ahead of the rate. Grants are exact, the bucket sees to that; calling only decides
//! how many fans are on their way to it.
//!
//! The level is how many claims should be in sight: waiting for the bucket, or expected from fans
//! called a moment ago. Holding a level, instead of calling so many a second, makes it harmless to
//! run from several processes, and corrects itself: a fan who does not come leaves the sum after the
//! reaction time and the next is called, long before the claim window ends.

/// Claims to have ready beyond the reaction time, in seconds of the rate: what a hiccup may cost.
const LEAD_S: f64 = 1.0;
/// Before anybody has claimed, how long fans are taken to need, in microseconds.
const REACTION_UNKNOWN_US: u64 = 3_000_000;
const REACTION_MIN_US: u64 = 500_000;
/// Nobody is waited for longer than this before the next is called, in microseconds.
const REACTION_MAX_US: u64 = 20_000_000;

/// What the release script holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Claims in sight, when there is room.
    pub expected_claims: u64,
    /// How long a called fan is expected to claim, in microseconds.
    pub reaction_us: u64,
    /// Claims in sight while `max_active` is reached: one second of the rate, at least one.
    pub when_full: u64,
}

/// `rate_per_minute` as tuned; `mean_reaction_us` as measured (0: not yet).
///
/// Twice the mean covers most fans (for an exponential spread, 86 %).
pub fn level(rate_per_minute: u64, mean_reaction_us: u64) -> Level {
    let reaction_us = match mean_reaction_us {
        0 => REACTION_UNKNOWN_US,
        mean => mean.saturating_mul(2).clamp(REACTION_MIN_US, REACTION_MAX_US),
    };
    let per_second = rate_per_minute as f64 / 60.0;
    let ahead_s = reaction_us as f64 / 1e6 + LEAD_S;
    Level {
        expected_claims: (per_second * ahead_s).ceil().max(1.0) as u64,
        reaction_us,
        when_full: (per_second * LEAD_S).ceil().max(1.0) as u64,
    }
}

/// The most tokens that may be granted at once after a gap: a quarter second of the rate, at least one.
pub fn burst(rate_per_minute: u64) -> f64 {
    (rate_per_minute as f64 / 60.0 * 0.25).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_covers_rate_times_reaction_and_is_never_zero() {
        assert_eq!(level(1, 0).expected_claims, 1);
        assert_eq!(level(600, 1_000_000).expected_claims, 30); // 10 a second × (2 s + 1 s)
        assert_eq!(level(600, 1_000_000).reaction_us, 2_000_000);
        assert_eq!(level(600, 3_600_000_000).reaction_us, REACTION_MAX_US);
        assert!(level(6_000_000, 0).expected_claims >= 100_000);
    }

    #[test]
    fn a_burst_is_a_quarter_second_and_at_least_one() {
        assert_eq!(burst(60), 1.0);
        assert_eq!(burst(1_200), 5.0);
    }
}
