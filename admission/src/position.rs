//! Positions for any number of fans from a thousand or so pivots: no command per fan.

use crate::ids::OrderKey;

/// The line as one look saw it: ranks from 0 with their order keys, ascending; every rank to 100,
/// then each at most 1 % beyond the last, and the end.
#[derive(Debug, Clone, Default)]
pub struct Pivots {
    pivots: Vec<(u64, OrderKey)>,
    waiting: u64,
}

impl Pivots {
    pub fn new(pivots: Vec<(u64, OrderKey)>, waiting: u64) -> Self {
        Self { pivots, waiting }
    }

    /// How many stand before the holder of `key`: exact at pivots, so for the first hundred, and
    /// interpolated (within 1 %) between them. A key beyond the end has everybody before it.
    pub fn ahead(&self, key: OrderKey) -> u64 {
        let after = self.pivots.partition_point(|&(_, pivot)| pivot < key);
        let Some(&(rank_after, key_after)) = self.pivots.get(after) else {
            return self.waiting;
        };
        let Some(&(rank_before, key_before)) = after.checked_sub(1).and_then(|i| self.pivots.get(i)) else {
            return rank_after;
        };
        let span = (key_after.0 - key_before.0) as f64;
        let share = (key.0 - key_before.0) as f64 / span;
        rank_before + ((rank_after - rank_before) as f64 * share).round() as u64
    }
}

/// A place is never shown to fall back: what was shown last caps what is shown next.
pub fn never_rising(ahead: u64, shown_last: Option<u64>) -> u64 {
    shown_last.map_or(ahead, |last| ahead.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pivots_of(keys: &[u64]) -> Pivots {
        let mut pivots = Vec::new();
        let mut rank = 0;
        while rank < keys.len() {
            pivots.push((rank as u64, OrderKey(keys[rank])));
            let next = if rank < 99 { rank + 1 } else { (rank + 1).max(rank * 101 / 100) };
            rank = if rank + 1 < keys.len() { next.min(keys.len() - 1) } else { next };
        }
        Pivots::new(pivots, keys.len() as u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn within_one_percent_and_exact_near_the_front(gaps in prop::collection::vec(1u64..10_000, 1..3_000)) {
            let keys: Vec<u64> = gaps.iter().scan(1_700_000_000_000_000, |at, gap| { *at += gap; Some(*at) }).collect();
            let pivots = pivots_of(&keys);
            for (rank, &key) in keys.iter().enumerate() {
                let ahead = pivots.ahead(OrderKey(key));
                let off = ahead.abs_diff(rank as u64) as f64;
                if rank < 100 {
                    prop_assert_eq!(ahead, rank as u64);
                } else {
                    prop_assert!(off <= (rank as f64 * 0.01).max(1.0), "rank {} shown {}", rank, ahead);
                }
            }
            prop_assert_eq!(pivots.ahead(OrderKey(u64::MAX)), keys.len() as u64);
        }
    }

    #[test]
    fn shown_positions_never_rise() {
        assert_eq!(never_rising(10, None), 10);
        assert_eq!(never_rising(10, Some(12)), 10);
        assert_eq!(never_rising(12, Some(10)), 10);
    }
}
