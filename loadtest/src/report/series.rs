//! How the evening went, second by second.

use serde::Serialize;

use crate::{books::Books, record::Record};

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
    /// The rate in force, a minute, as the public totals told it.
    pub rate_per_minute: Vec<Option<u64>>,
    /// Tickets of completed bookings by the end of that second, on the database's clock.
    pub sold: Vec<u64>,
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
    pub(super) fn of(record: &Record, books: &Books, started_us: i64) -> Self {
        let joined = record.fans.iter().filter_map(|fan| fan.joined_us);
        let granted = record.fans.iter().filter_map(|fan| fan.admitted_at_us());
        let mut series = Self {
            joins: per_second(joined, started_us),
            tokens: per_second(granted, started_us),
            sold: sold(books, started_us),
            ..Self::default()
        };
        for pulse in &record.pulses {
            let Some(second) = second(pulse.at_us, started_us) else {
                continue;
            };
            put(&mut series.waiting, second, pulse.lobby + pulse.waiting);
            put(&mut series.active, second, pulse.active);
            put(&mut series.rate_per_minute, second, pulse.rate_per_minute.into());
        }
        series
    }
}

/// Tickets sold by the end of each second; what was sold before the run counts from its first.
fn sold(books: &Books, started_us: i64) -> Vec<u64> {
    let mut sold = Vec::new();
    for booking in books.completed() {
        let Some(at_us) = booking.completed_at_us else {
            continue;
        };
        let Some(second) = second(at_us.max(started_us), started_us) else {
            continue;
        };
        if sold.len() <= second {
            sold.resize(second + 1, 0);
        }
        sold[second] += u64::from(booking.quantity.unsigned_abs());
    }
    for second in 1..sold.len() {
        sold[second] += sold[second - 1];
    }
    sold
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        books::{BookingRow, DropRow},
        record::{FanRecord, PulseHeard},
    };

    const START_US: i64 = 1_795_233_600_000_000;

    #[test]
    fn moments_fall_into_their_seconds() {
        let at = |us: i64| START_US + us;
        assert_eq!(per_second([].into_iter(), START_US), Vec::<u64>::new());
        assert_eq!(per_second([at(0)].into_iter(), START_US), [1]);
        let moments = [at(999_999), at(1_000_000), at(3_500_000), at(0)];
        assert_eq!(per_second(moments.into_iter(), START_US), [2, 1, 0, 1]);
        // before the run, and longer after it than is shown
        let far = i64::try_from(SECONDS_MOST).unwrap() * 1_000_000;
        assert_eq!(per_second([at(-1), at(far)].into_iter(), START_US), Vec::<u64>::new());
        assert_eq!(per_second([at(far - 1)].into_iter(), START_US).len(), SECONDS_MOST);
    }

    #[test]
    fn the_last_look_of_a_second_counts_and_a_second_without_one_is_a_gap() {
        let pulse = |us: i64, lobby, waiting| PulseHeard {
            at_us: START_US + us,
            lobby,
            waiting,
            rate_per_minute: 600,
            ..PulseHeard::default()
        };
        let pulses = vec![pulse(-500_000, 9, 9), pulse(100_000, 5, 0), pulse(600_000, 1, 6), pulse(2_100_000, 0, 3)];
        let series = Series::of(&Record { pulses, ..Record::default() }, &Books::default(), START_US);
        assert_eq!(series.waiting, [Some(7), None, Some(3)]);
        assert_eq!(series.rate_per_minute, [Some(600), None, Some(600)]);
        assert!(series.joins.is_empty() && series.tokens.is_empty() && series.sold.is_empty());
    }

    #[test]
    fn sales_add_up_to_what_the_books_say() {
        let booking = |us: Option<i64>, quantity, status: &str| BookingRow {
            booking_id: Uuid::new_v4(),
            drop_id: "d".into(),
            user_id: Uuid::nil(),
            fees: 0,
            total_amount: 0,
            currency: "USD".into(),
            quantity,
            status: status.into(),
            intent_id: None,
            captured: true,
            completed_at_us: us.map(|us| START_US + us),
        };
        let rows = [
            booking(Some(-60_000_000), 3, "completed"), // before the run
            booking(Some(1_200_000), 2, "completed"),
            booking(Some(3_000_000), 4, "completed"),
            booking(Some(1_300_000), 8, "cancelled"),
            booking(None, 8, "pending"),
        ];
        let drop = DropRow { drop_id: "d".into(), ..DropRow::default() };
        let bookings = rows.into_iter().map(|row| (row.booking_id, row)).collect();
        let books = Books { drop, bookings, ..Books::default() };
        assert_eq!(sold(&books, START_US), [3, 5, 5, 9]);
        assert_eq!(sold(&Books::default(), START_US), Vec::<u64>::new());
    }

    #[test]
    fn one_join_is_a_run() {
        assert_eq!(Joins::of(&Record::default()).joined, 0);
        let fan =
            FanRecord { join_sent_us: Some(START_US), joined_us: Some(START_US + 500_000), ..FanRecord::default() };
        let joins = Joins::of(&Record { fans: vec![fan], ..Record::default() });
        assert_eq!((joins.joined, joins.most_a_second), (1, 1));
        assert!((joins.within_s - 0.5).abs() < 1e-9 && (joins.a_second - 2.0).abs() < 1e-9, "{joins:?}");
    }
}
