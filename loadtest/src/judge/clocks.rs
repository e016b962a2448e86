//! How far Redis's clock is from ours.

use crate::record::Record;

/// Bounds on (Redis's clock − ours), in microseconds: every grant happened after the claim was
/// sent and before the fan heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    least: i64,
    most: i64,
}

impl Skew {
    /// `None` without a grant to measure by, or when the bounds contradict each other (a clock was
    /// set during the run).
    pub(super) fn measured(record: &Record) -> Option<Self> {
        let mut skew = Self { least: i64::MIN, most: i64::MAX };
        for fan in &record.fans {
            let granted = fan.heard.iter().find_map(|heard| Some((heard.admitted_at_us?, heard.at_us)));
            if let (Some((admitted, told)), Some(sent)) = (granted, fan.claim_sent_us) {
                skew.least = skew.least.max(admitted - told);
                skew.most = skew.most.min(admitted - sent);
            }
        }
        (skew.least != i64::MIN && skew.least <= skew.most).then_some(skew)
    }

    /// Our moment on Redis's clock. One machine has one clock: no skew unless the bounds exclude
    /// it, and then the latest moment possible, so that nobody is accused by a bad clock.
    pub(super) fn on_redis(self, ours_us: i64) -> i64 {
        if (self.least..=self.most).contains(&0) { ours_us } else { ours_us + self.most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_has_one_clock_and_two_are_measured() {
        let skew = |least, most| Skew { least, most };
        assert_eq!(skew(-50, 900).on_redis(1_000), 1_000);
        assert_eq!(skew(200, 900).on_redis(1_000), 1_900);
        assert_eq!(skew(-900, -200).on_redis(1_000), 800);
    }
}
