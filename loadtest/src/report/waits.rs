//! How long the admitted waited, as a distribution.

use serde::Serialize;

use crate::record::{FanRecord, Record};

/// Widths a bin may have, in seconds; the first that makes few enough bins is taken.
const WIDTHS_S: [f64; 18] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    21_600.0,
];
/// Bins at most, for as long as a width above is wide enough.
const BINS_MOST: f64 = 40.0;

/// Bin n counts the fans who waited from n to n + 1 widths.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Waits {
    pub bin_s: f64,
    pub counts: Vec<u64>,
}

impl Waits {
    pub(super) fn of(record: &Record) -> Self {
        let waits: Vec<f64> = record.fans.iter().filter_map(waited_us).map(|us| us as f64 / 1e6).collect();
        Self::binned(&waits)
    }

    fn binned(waits_s: &[f64]) -> Self {
        let longest = waits_s.iter().copied().fold(0.0, f64::max);
        let last = WIDTHS_S[WIDTHS_S.len() - 1];
        let bin_s = WIDTHS_S.into_iter().find(|width| longest / width < BINS_MOST).unwrap_or(last);
        let mut counts = Vec::new();
        for wait in waits_s {
            let bin = (wait / bin_s) as usize;
            if counts.len() <= bin {
                counts.resize(bin + 1, 0);
            }
            counts[bin] += 1;
        }
        Self { bin_s, counts }
    }
}

/// From the answer to the join to hearing of the admission, in microseconds.
pub(super) fn waited_us(fan: &FanRecord) -> Option<u64> {
    let told = fan.heard.iter().find(|heard| heard.admitted_at_us.is_some())?;
    u64::try_from(told.at_us - fan.joined_us?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_one_and_many() {
        assert_eq!(Waits::binned(&[]).counts, Vec::<u64>::new());
        assert_eq!(Waits::binned(&[0.0]), Waits { bin_s: 0.1, counts: vec![1] });
        let waits = Waits::binned(&[0.2, 0.9, 1.0, 39.9]);
        assert_eq!((waits.bin_s, waits.counts.len()), (1.0, 40));
        assert_eq!((waits.counts[0], waits.counts[1], waits.counts[39]), (2, 1, 1));
        assert!(Waits::binned(&[40.0]).counts.len() <= 40, "a wider bin");
    }
}
