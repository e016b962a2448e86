//! How often a stream hears.

use std::time::Duration;

/// The shortest and the longest time between two positions.
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(10);
/// Silence is never longer, so that proxies and phones keep the stream open.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);

/// Time between two looks at a stream whose fan has `ahead` before them (`None`: they stand in no line): a second
/// up to a thousand, then a second more for each thousand, ten at most. At ten thousand, ten seconds are worth a
/// percent or so of what is shown.
pub(super) fn look_every(ahead: Option<u64>) -> Duration {
    ahead.map_or(SELDOM, |ahead| Duration::from_millis(ahead).clamp(OFTEN, SELDOM))
}

/// Whether a stream that last heard `silent` ago needs a sign of life now, when the next look comes after `next`.
pub(super) fn needs_heartbeat(silent: Duration, next: Duration) -> bool {
    silent + next > HEARTBEAT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_near_the_front_hears_every_second_and_nobody_less_than_every_ten() {
        let every = |ahead| look_every(Some(ahead)).as_millis();
        assert_eq!([every(0), every(99), every(1_000)], [1_000; 3]);
        assert_eq!([every(1_500), every(5_000), every(10_000), every(1_000_000)], [1_500, 5_000, 10_000, 10_000]);
        assert_eq!(look_every(None), SELDOM);
        let mut before = 0;
        for ahead in 0..20_000 {
            assert!(every(ahead) >= before);
            before = every(ahead);
        }
    }

    #[test]
    fn no_silence_is_longer_than_a_heartbeat() {
        for ahead in [None, Some(0), Some(3_000), Some(50_000)] {
            let every = look_every(ahead);
            let mut silent = Duration::ZERO;
            for _ in 0..30 {
                silent += every;
                assert!(silent <= HEARTBEAT, "{ahead:?}");
                if needs_heartbeat(silent, every) {
                    silent = Duration::ZERO;
                }
            }
        }
    }
}
