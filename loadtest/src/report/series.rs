//! How the evening went, second by second.

use serde::Serialize;

use crate::record::Record;

/// Seconds shown at most; the rest of a longer evening is left out.
const SECONDS_MOST: usize = 86_400;

#[derive(Debug, Serialize)]
pub(crate) struct Joins {
    pub joined: usize,
    /// From the first join sent to the last one answered.
    pub within_s: f64,
    pub a_second: f64,
    /// The most answered in any one second of the wall clock.
    pub most_a_second: usize,
}

/// Element n is second n of the run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Series {
    pub joins: Vec<u64>,
    /// By `admitted_at`, on Redis's clock.
    pub tokens: Vec<u64>,
    /// The last length of the line told in that second, the lobby included; absent where nobody
    /// looked.
    pub waiting: Vec<Option<u64>>,
    pub active: Vec<Option<u64>>,
}

impl Joins {
    pub(super) fn of(record: &Record) -> Self {
        let mut joined: Vec<i64> = record.fans.iter().filter_map(|fan| fan.joined_us).collect();
        joined.sort_unstable();
        let first = record.fans.iter().filter_map(|fan| fan.join_sent_us).min();
        let within_us = match (first, joined.last()) {
            (Some(first), Some(last)) => (last - first).max(1),
            _ => 0,
        };
        let within_s = within_us as f64 / 1e6;
        let begin = joined.first().copied().unwrap_or_default();
        Self {
            joined: joined.len(),
            within_s,
            a_second: if within_us > 0 { joined.len() as f64 / within_s } else { 0.0 },
            most_a_second: per_second(joined.iter().copied(), begin)
                .into_iter()
                .max()
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or_default(),
        }
    }
}

impl Series {
    pub(super) fn of(record: &Record, started_us: i64) -> Self {
        let joined = record.fans.iter().filter_map(|fan| fan.joined_us);
        let granted = record.fans.iter().filter_map(|fan| fan.admitted_at_us());
        let mut series =
            Self { joins: per_second(joined, started_us), tokens: per_second(granted, started_us), ..Self::default() };
        for pulse in &record.pulses {
            let Some(second) = second(pulse.at_us, started_us) else {
                continue;
            };
            put(&mut series.waiting, second, pulse.lobby + pulse.waiting);
            put(&mut series.active, second, pulse.active);
        }
        series
    }
}

fn second(at_us: i64, started_us: i64) -> Option<usize> {
    let second = usize::try_from((at_us - started_us).div_euclid(1_000_000)).ok()?;
    (second < SECONDS_MOST).then_some(second)
}

fn per_second(moments: impl Iterator<Item = i64>, started_us: i64) -> Vec<u64> {
    let mut counts = Vec::new();
    for second in moments.filter_map(|at| second(at, started_us)) {
        if counts.len() <= second {
            counts.resize(second + 1, 0);
        }
        counts[second] += 1;
    }
    counts
}

fn put(values: &mut Vec<Option<u64>>, second: usize, value: u64) {
    if values.len() <= second {
        values.resize(second + 1, None);
    }
    values[second] = Some(value);
}
