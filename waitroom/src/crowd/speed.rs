//! How fast the front of the line moves, as measured.

use std::collections::VecDeque;

/// What is measured over, in microseconds.
const WINDOW_US: u64 = 30_000_000;
/// Less than this says nothing yet, in microseconds.
const ENOUGH_US: u64 = 5_000_000;

/// Calls over the last half minute.
#[derive(Debug, Default)]
pub(super) struct Speed {
    seen: VecDeque<(u64, u64)>,
    /// What it was tuned to when last measured.
    rate_per_minute: u64,
}

impl Speed {
    /// Fans a second: measured from `called_total` at `now_us`, or the tuned rate while too little is known
    /// or nobody was called (a pause says nothing about the speed after it).
    pub(super) fn measure(&mut self, now_us: u64, called_total: u64, rate_per_minute: u64) -> f64 {
        if std::mem::replace(&mut self.rate_per_minute, rate_per_minute) != rate_per_minute {
            self.seen.clear(); // what was measured at another rate says nothing of this one
        }
        while self.seen.front().is_some_and(|&(at, _)| at + WINDOW_US < now_us) {
            self.seen.pop_front();
        }
        self.seen.push_back((now_us, called_total));
        let tuned = rate_per_minute as f64 / 60.0;
        let Some(&(first_at, first_total)) = self.seen.front() else { return tuned };
        let (elapsed_us, called) = (now_us.saturating_sub(first_at), called_total.saturating_sub(first_total));
        if elapsed_us < ENOUGH_US || called == 0 {
            return tuned;
        }
        called as f64 / (elapsed_us as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tuned_rate_until_measured() {
        let mut speed = Speed::default();
        assert_eq!(speed.measure(0, 0, 600), 10.0);
        assert_eq!(speed.measure(1_000_000, 30, 600), 10.0);
        assert_eq!(speed.measure(10_000_000, 150, 600), 15.0);
        let later = speed.measure(60_000_000, 150, 600);
        assert_eq!(later, 10.0, "nobody called: the tuned rate");
    }

    #[test]
    fn another_rate_begins_anew() {
        let mut speed = Speed::default();
        speed.measure(0, 0, 600);
        assert_eq!(speed.measure(10_000_000, 150, 600), 15.0);
        assert_eq!(speed.measure(11_000_000, 165, 60), 1.0);
    }
}
