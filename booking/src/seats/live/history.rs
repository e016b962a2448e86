//! The last changes of an event's seats, so that a stream that broke goes on where it stopped.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::json;

use crate::seats::snapshot::Snapshot;

/// Versions a stream may have missed and still resume.
const STEPS_MAX: usize = 600;
/// Changed seats kept over all steps; beyond that a snapshot is shorter than what happened.
const CHANGES_MAX: usize = 20_000;

/// A seat by its place in the layout, and its new status.
type Change = (u32, u8);

/// Seats as they stand, and how they came to stand so.
pub(crate) struct State {
    pub(crate) snapshot: Arc<Snapshot>,
    steps: VecDeque<Arc<Step>>,
    kept: usize,
}

/// From one version to the next.
struct Step {
    from: String,
    changes: Vec<Change>,
    /// The delta as most listeners get it: made once.
    body: Arc<str>,
}

impl State {
    pub(crate) fn first(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, steps: VecDeque::new(), kept: 0 }
    }

    /// The state after this one. Another epoch or number of seats begins a new history.
    pub(crate) fn next(&self, snapshot: Arc<Snapshot>) -> Self {
        if snapshot.packed.len() != self.snapshot.packed.len()
            || epoch(&snapshot.version) != epoch(&self.snapshot.version)
        {
            return Self::first(snapshot);
        }
        let changes = differences(&self.snapshot.packed, &snapshot.packed);
        let body = delta(&snapshot.version, &changes);
        let mut steps = self.steps.clone();
        let mut kept = self.kept + changes.len();
        steps.push_back(Arc::new(Step { from: self.snapshot.version.clone(), changes, body }));
        while steps.len() > STEPS_MAX || kept > CHANGES_MAX {
            let Some(oldest) = steps.pop_front() else { break };
            kept -= oldest.changes.len();
        }
        Self { snapshot, steps, kept }
    }

    /// The delta that leads from `version` here; `None` when only a snapshot does.
    pub(crate) fn since(&self, version: &str) -> Option<Arc<str>> {
        let first = self.steps.iter().position(|step| step.from == version)?;
        if first + 1 == self.steps.len() {
            return self.steps.back().map(|step| step.body.clone());
        }
        let merged: BTreeMap<u32, u8> =
            self.steps.range(first..).flat_map(|step| step.changes.iter().copied()).collect();
        Some(delta(&self.snapshot.version, &merged.into_iter().collect::<Vec<_>>()))
    }
}

fn delta(version: &str, changes: &[Change]) -> Arc<str> {
    json!({ "version": version, "changes": changes }).to_string().into()
}

fn epoch(version: &str) -> Option<&str> {
    version.split_once('-').map(|(epoch, _)| epoch)
}

/// Both of the same length, four seats a byte, the first in the lowest bits.
fn differences(before: &[u8], after: &[u8]) -> Vec<Change> {
    let changed = before.iter().zip(after).enumerate().filter(|(_, (before, after))| before != after);
    changed
        .flat_map(|(index, (before, after))| {
            (0..4_u32).filter_map(move |seat| {
                let [was, is] = [before, after].map(|byte| byte >> (seat * 2) & 0b11);
                (was != is).then(|| (u32::try_from(index).unwrap_or(u32::MAX) * 4 + seat, is))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::snapshot::Counts;

    fn snapshot(version: &str, packed: &[u8]) -> Arc<Snapshot> {
        Arc::new(Snapshot::new(version.to_owned(), None, packed.to_vec(), Counts::default()))
    }

    #[test]
    fn only_what_changed_is_told() {
        assert_eq!(differences(&[0b00_01_10_00, 7], &[0b11_01_00_00, 7]), [(1, 0), (3, 3)]);
        assert_eq!(differences(&[0, 0], &[0, 0b01]), [(4, 1)]);
    }

    #[test]
    fn a_stream_goes_on_from_any_version_it_saw() {
        let state = State::first(snapshot("9-1", &[0]));
        let state = state.next(snapshot("9-2", &[0b01]));
        let state = state.next(snapshot("9-4", &[0b10_10]));
        assert_eq!(state.since("9-2").as_deref(), Some(r#"{"changes":[[0,2],[1,2]],"version":"9-4"}"#));
        assert_eq!(state.since("9-1").as_deref(), state.since("9-2").as_deref(), "the last word on each seat");
        assert_eq!(state.since("9-4"), None, "nothing happened since");
        assert_eq!(state.since("8-2"), None, "another epoch");
        assert_eq!(state.since("9-3"), None, "a version it did not tell");
    }

    #[test]
    fn another_epoch_or_hall_begins_anew() {
        let state = State::first(snapshot("9-1", &[0])).next(snapshot("9-2", &[1]));
        assert_eq!(state.next(snapshot("8-3", &[2])).since("9-2"), None);
        assert_eq!(state.next(snapshot("9-3", &[2, 0])).since("9-2"), None);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut state = State::first(snapshot("9-0", &[0]));
        for n in 1..=STEPS_MAX + 1 {
            state = state.next(snapshot(&format!("9-{n}"), &[u8::try_from(n % 2).unwrap()]));
        }
        assert_eq!(state.since("9-0"), None);
        assert!(state.since("9-1").is_some());
        let wide: Vec<u8> = vec![0; CHANGES_MAX / 4 + 1];
        let full: Vec<u8> = vec![0b01_01_01_01; CHANGES_MAX / 4 + 1];
        let state = State::first(snapshot("9-0", &wide)).next(snapshot("9-1", &full));
        assert_eq!(state.since("9-0"), None, "a snapshot is shorter");
        assert_eq!(state.kept, 0);
    }
}
