//! Positions for any number of fans from a thousand or so pivots: no command per fan.

use crate::ids::OrderKey;

/// The line as one look saw it: ranks from 0 with their order keys, ascending; every rank to 100,
/// then each at most 1 % beyond the last, and the end.
#[derive(Debug, Clone, Default)]
pub struct Pivots(Vec<(u64, OrderKey)>);

impl Pivots {
    pub fn new(pivots: Vec<(u64, OrderKey)>) -> Self {
        Self(pivots)
    }

    /// How many stand before the holder of `key`: exact at pivots, so for the first hundred, and
    /// interpolated (within 1 %) between them.
    ///
    /// `None` for a key that did not stand in the line: before its first, where those stand who were called by
    /// then, beyond its end, or between two neighbours. Whoever holds it has no position by this look.
    pub fn ahead(&self, key: OrderKey) -> Option<u64> {
        let after = self.0.partition_point(|&(_, pivot)| pivot < key);
        let &(rank_after, key_after) = self.0.get(after)?;
        if key == key_after {
            return Some(rank_after);
        }
        let &(rank_before, key_before) = self.0.get(after.checked_sub(1)?)?;
        let apart = rank_after - rank_before;
        let share = (key.0 - key_before.0) as f64 / (key_after.0 - key_before.0) as f64;
        (apart > 1).then(|| rank_before + (apart as f64 * share).round() as u64)
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
        Pivots::new(pivots)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn within_one_percent_and_exact_near_the_front(gaps in prop::collection::vec(1u64..10_000, 1..3_000)) {
            let keys: Vec<u64> = gaps.iter().scan(1_700_000_000_000_000, |at, gap| { *at += gap; Some(*at) }).collect();
            let pivots = pivots_of(&keys);
            for (rank, &key) in keys.iter().enumerate() {
                let ahead = pivots.ahead(OrderKey(key)).unwrap();
                let off = ahead.abs_diff(rank as u64) as f64;
                if rank < 100 {
                    prop_assert_eq!(ahead, rank as u64);
                } else {
                    prop_assert!(off <= (rank as f64 * 0.01).max(1.0), "rank {} shown {}", rank, ahead);
                }
            }
        }
    }

    #[test]
    fn who_did_not_stand_in_the_line_has_no_position_by_it() {
        let pivots = pivots_of(&(1..=300).map(|n| n * 10).collect::<Vec<_>>());
        assert_eq!(pivots.ahead(OrderKey(10)), Some(0));
        assert_eq!(pivots.ahead(OrderKey(9)), None, "called by then: not the first of those who wait");
        assert_eq!(pivots.ahead(OrderKey(995)), None, "between two neighbours");
        assert_eq!(pivots.ahead(OrderKey(3_000)), Some(299));
        assert_eq!(pivots.ahead(OrderKey(3_001)), None);
        assert_eq!(Pivots::default().ahead(OrderKey(10)), None, "nobody waits");
    }

    #[test]
    fn shown_positions_never_rise() {
        assert_eq!(never_rising(10, None), 10);
        assert_eq!(never_rising(10, Some(12)), 10);
        assert_eq!(never_rising(12, Some(10)), 10);
    }
}
