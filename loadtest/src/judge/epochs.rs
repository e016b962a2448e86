//! Which epoch something was told in.
//!
//! Events carry the epoch in their id, answers carry none. An epoch only grows, so an answer
//! between two events of the same epoch belongs to it; and in a run that knew one epoch, all does.

use std::collections::BTreeSet;

use crate::record::{FanRecord, Record};

/// All epochs any fan heard of.
pub(super) fn of_record(record: &Record) -> BTreeSet<u64> {
    record.fans.iter().flat_map(of_fan).collect()
}

/// The epochs one fan heard of.
pub(super) fn of_fan(fan: &FanRecord) -> BTreeSet<u64> {
    let heard = fan.heard.iter().filter_map(|heard| heard.epoch);
    heard.chain(fan.shown.iter().filter_map(|shown| shown.epoch)).collect()
}

/// Fills in the epochs that can be known; `all` are those of the whole record.
pub(super) fn resolve(epochs: &[Option<u64>], all: &BTreeSet<u64>) -> Vec<Option<u64>> {
    if all.len() <= 1 {
        return vec![Some(all.first().copied().unwrap_or_default()); epochs.len()];
    }
    let mut next = None;
    let mut following: Vec<Option<u64>> = epochs
        .iter()
        .rev()
        .map(|epoch| {
            next = epoch.or(next);
            next
        })
        .collect();
    following.reverse();
    let mut before = None;
    epochs
        .iter()
        .zip(following)
        .map(|(epoch, after)| {
            before = epoch.or(before);
            if before == after { before } else { None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_between_two_events_of_an_epoch_belong_to_it() {
        let all = BTreeSet::from([1, 2]);
        let told = [None, Some(1), None, Some(1), None, Some(2), None];
        let known = [None, Some(1), Some(1), Some(1), None, Some(2), None];
        assert_eq!(resolve(&told, &all), known);
        assert_eq!(resolve(&[None, None], &BTreeSet::from([4])), [Some(4); 2]);
        assert_eq!(resolve(&[None], &BTreeSet::new()), [Some(0)]);
    }
}
