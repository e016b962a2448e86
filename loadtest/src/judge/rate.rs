//! Tokens in any second ≤ rate + burst.

use super::inquiry::{Check, Inquiry};
use crate::{books::Books, record::Record};

/// The window that is counted, in microseconds.
const WINDOW_US: i64 = 1_000_000;
/// A rate seen within this of a window bounds it: the totals are a second old at most, are looked
/// at twice a second, and a change takes effect within a second. Microseconds.
const CHANGE_US: i64 = 3_000_000;

pub(super) fn check(record: &Record, books: &Books) -> Check {
    let mut inquiry =
        Inquiry::of("rate", "tokens granted in any one second are at most rate + burst, burst = max(1, rate × 250 ms)");
    let rates = Rates::seen(record, books.drop.rate_per_minute);
    let mut tokens: Vec<i64> = record
        .fans
        .iter()
        .flat_map(|fan| {
            // granted twice at two times is two tokens
            let mut stamps: Vec<i64> = fan.heard.iter().filter_map(|heard| heard.admitted_at_us).collect();
            stamps.sort_unstable();
            stamps.dedup();
            stamps
        })
        .collect();
    tokens.sort_unstable();
    let mut end = 0;
    let mut most = 0;
    for (begin, &from) in tokens.iter().enumerate() {
        while end < tokens.len() && tokens[end] < from + WINDOW_US {
            end += 1;
        }
        let count = end - begin;
        most = most.max(count);
        let rate = rates.highest_around(from);
        inquiry.expect(count <= bound(rate), || {
            format!("{count} tokens in the second from {from}, at most {} at {rate} a minute", bound(rate))
        });
    }
    inquiry.note(format!("at most {most} in a second"));
    inquiry.done()
}

/// The most tokens in any one second, at a rate per minute.
pub(crate) fn bound(rate_per_minute: u32) -> usize {
    let rate = f64::from(rate_per_minute) / 60.0;
    let burst = (rate * 0.25).max(1.0);
    // whole tokens; a hair above guards against 2.9999999
    (rate + burst + 1e-9).floor() as usize
}

/// The rates seen during the run, in order of time.
struct Rates {
    seen: Vec<(i64, u32)>,
    otherwise: u32,
}

impl Rates {
    fn seen(record: &Record, otherwise: u32) -> Self {
        let mut seen: Vec<(i64, u32)> =
            record.pulses.iter().map(|pulse| (pulse.at_us, pulse.rate_per_minute)).collect();
        seen.sort_unstable();
        Self { seen, otherwise }
    }

    /// The highest rate that may have been in force in the second from `from`: those seen around
    /// it, and the last seen before.
    fn highest_around(&self, from: i64) -> u32 {
        let begin = self.seen.partition_point(|(at, _)| *at < from - CHANGE_US);
        let end = self.seen.partition_point(|(at, _)| *at <= from + WINDOW_US + CHANGE_US);
        self.seen[begin.saturating_sub(1)..end]
            .iter()
            .map(|(_, rate)| *rate)
            .max()
            .or_else(|| self.seen.first().map(|(_, rate)| *rate))
            .unwrap_or(self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::evening, *};
    use crate::{judge::Outcome, record::PulseHeard};

    /// An evening in which fans were granted at these moments, in microseconds.
    fn granted_at(moments: &[i64]) -> (Record, Books) {
        let (mut record, books) = evening::clean();
        let fans = moments.iter().map(|at| {
            let mut fan = evening::fan(0);
            evening::grant(&mut fan, evening::START_US + at);
            fan
        });
        record.fans = fans.collect();
        (record, books)
    }

    #[test]
    fn bounds_are_those_of_the_bucket() {
        assert_eq!(bound(6_000), 125);
        assert_eq!(bound(60), 2);
        assert_eq!(bound(1), 1);
        assert_eq!(bound(240), 5);
    }

    #[test]
    fn one_token_too_many_is_found_at_any_offset() {
        // 600 a minute: 12.5 in a second, so 12
        let mut moments: Vec<i64> = (0..12).map(|n| 700_000 + n * 80_000).collect();
        let (record, books) = granted_at(&moments);
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
        moments.push(1_699_999);
        let (record, books) = granted_at(&moments);
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
        *moments.last_mut().unwrap() = 1_700_000;
        let (record, books) = granted_at(&moments);
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
    }

    #[test]
    fn across_a_change_the_higher_rate_bounds_and_only_there() {
        let moments: Vec<i64> = (0..100).map(|n| 10_000_000 + n * 9_000).collect();
        let (mut record, books) = granted_at(&moments);
        let pulse = |at: i64, rate_per_minute| PulseHeard {
            at_us: evening::START_US + at,
            rate_per_minute,
            ..PulseHeard::default()
        };
        record.pulses = vec![pulse(0, 600), pulse(11_000_000, 6_000), pulse(60_000_000, 600)];
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
        record.pulses[1].at_us += 20_000_000;
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
    }

    proptest! {
        /// A token bucket that is filled honestly is never accused.
        #[test]
        fn an_honest_bucket_is_content(rate_per_minute in 1_u32..20_000, gaps in prop::collection::vec(0_i64..200_000, 1..300)) {
            let per_us = f64::from(rate_per_minute) / 60e6;
            let burst = (f64::from(rate_per_minute) / 60.0 * 0.25).max(1.0);
            let (mut level, mut at, mut moments) = (burst, 0, Vec::new());
            for gap in gaps {
                at += gap;
                level = (level + gap as f64 * per_us).min(burst);
                while level >= 1.0 {
                    level -= 1.0;
                    moments.push(at);
                }
            }
            let (mut record, mut books) = granted_at(&moments);
            record.pulses.clear();
            books.drop.rate_per_minute = rate_per_minute;
            prop_assert_eq!(check(&record, &books).outcome, Outcome::Kept);
        }
    }
}
