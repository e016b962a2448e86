//! How long things took, in percentiles.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::waits;
use crate::{
    books::Books,
    protocol::State,
    record::{FanRecord, Kind, Record},
};

/// The longest time told apart, in microseconds: a day.
const LONGEST_US: u64 = 86_400_000_000;

/// The row that is no call, and far longer than any.
pub(super) const WAITED: &str = "time waited";

/// One row of the table; times in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub name: String,
    pub count: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// Every call that was made, then how long fans waited, then how soon they heard of it.
pub(super) fn all(record: &Record, books: &Books) -> Vec<Latency> {
    let mut calls: BTreeMap<Kind, Vec<u64>> = BTreeMap::new();
    for call in record.fans.iter().flat_map(|fan| &fan.calls) {
        calls.entry(call.kind).or_default().push(call.took_us);
    }
    let mut rows: Vec<Latency> =
        calls.into_iter().map(|(kind, times)| Latency::of(&format!("{kind:?}").to_lowercase(), times)).collect();
    rows.push(Latency::of(WAITED, record.fans.iter().filter_map(waits::waited_us)));
    rows.push(Latency::of("granted → told", record.fans.iter().filter_map(granted_told)));
    if !disturbed(record) {
        let window_us = i64::from(books.drop.claim_window_s) * 1_000_000;
        let told = record.fans.iter().filter_map(|fan| called_told(fan, window_us));
        rows.push(Latency::of("called → told", told));
    }
    rows.retain(|row| row.count > 0);
    rows
}

fn granted_told(fan: &FanRecord) -> Option<u64> {
    let told = fan.heard.iter().find(|heard| heard.admitted_at_us.is_some())?;
    Some(u64::try_from(told.at_us - told.admitted_at_us?).unwrap_or(0))
}

/// From the call, which was a claim window before the deadline, to hearing of it.
fn called_told(fan: &FanRecord, window_us: i64) -> Option<u64> {
    let told = fan.heard.iter().find(|heard| heard.state == State::Called)?;
    let called = told.claim_deadline_us? - window_us;
    Some(u64::try_from(told.at_us - called).unwrap_or(0))
}

/// Deadlines move while a drop is paused, and say nothing about the moment of the call.
fn disturbed(record: &Record) -> bool {
    record.pulses.iter().any(|pulse| pulse.state == "paused")
}

impl Latency {
    fn of(name: &str, times_us: impl IntoIterator<Item = u64>) -> Self {
        let mut histogram = Histogram::<u64>::new_with_max(LONGEST_US, 3)
            .expect("three digits up to a day are within the histogram's limits");
        for time in times_us {
            histogram.saturating_record(time);
        }
        let ms = |us: u64| us as f64 / 1_000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Self {
            name: name.to_owned(),
            count: histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(histogram.max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let row = Latency::of("join", (1..=1_000).map(|n| n * 1_000));
        assert_eq!(row.count, 1_000);
        assert!((row.p50_ms - 500.0).abs() < 1.0 && (row.p99_ms - 990.0).abs() < 1.0, "{row:?}");
    }
}
