//! How fast the front of a line moves, as measured from what a process sees of it each second.

use std::collections::VecDeque;

use super::Speed;
use crate::line::{Counts, DropState};

/// Less than this says nothing yet, in microseconds.
const ENOUGH_US: u64 = 5_000_000;
/// What is measured over, in microseconds, when that is enough calls; else longer, up to [`WINDOW_MAX_US`].
const WINDOW_US: u64 = 30_000_000;
const WINDOW_MAX_US: u64 = 300_000_000;
const CALLS_ENOUGH: u64 = 100;
/// Calls run ahead of the door when a line begins to move: what happens in this time is no steady speed.
const SETTLING_US: u64 = 10_000_000;

/// Nobody knows before the first calls how many have gone silently; one in five is taken to be, and
/// that counts for so many called fans.
const COMING_UNKNOWN: f64 = 0.8;
const UNKNOWN_WEIGHS: f64 = 200.0;

/// Calls and leaves of one drop over the last minutes.
#[derive(Debug, Default)]
pub struct Meter {
    seen: VecDeque<Sample>,
    /// Epoch and rate that what was seen belongs to.
    of: (u64, u64),
    /// Since when the line moves, or its rate is this one, in microseconds.
    moving_since: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at_us: u64,
    called_total: u64,
    leaves_total: u64,
    waiting: u64,
}

impl Meter {
    /// Takes note of what one look saw. While too little is known, the speed is what the tuned rate makes at
    /// the share of fans who come, as far as that is known.
    pub fn measure(&mut self, drop: &DropState, counts: &Counts) -> Speed {
        let same = std::mem::replace(&mut self.of, (drop.epoch, drop.rate_per_minute)) == self.of;
        let moves = drop.is_open()
            && drop.paused_at.is_none()
            && !(drop.ended || drop.sold_out || drop.covered || drop.regathering())
            && counts.lobby == 0;
        // what was measured at another rate says nothing of this one, and nobody called while nobody waited
        // says nothing of those who come now
        if !same || !moves || counts.waiting == 0 {
            self.seen.clear();
            self.moving_since = None;
        }
        if moves {
            let since = *self.moving_since.get_or_insert(drop.now);
            if drop.now >= since + SETTLING_US {
                self.take(drop.now, counts);
            }
        }
        self.speed(drop.now).unwrap_or(Speed {
            calls_per_second: drop.rate_per_minute as f64 / 60.0 / coming(counts),
            calls_seen: 0,
            leaving_per_second: 0.0,
        })
    }

    fn take(&mut self, now: u64, counts: &Counts) {
        while self.seen.front().is_some_and(|sample| sample.at_us + WINDOW_MAX_US < now) {
            self.seen.pop_front();
        }
        self.seen.push_back(Sample {
            at_us: now,
            called_total: counts.called_total,
            leaves_total: counts.leaves_total,
            waiting: counts.waiting,
        });
    }

    fn speed(&self, now: u64) -> Option<Speed> {
        let (oldest, newest) = (self.seen.front()?, self.seen.back()?);
        let calls = |sample: &Sample| newest.called_total.saturating_sub(sample.called_total);
        let enough = |sample: &&Sample| sample.at_us + WINDOW_US <= now && calls(sample) >= CALLS_ENOUGH;
        let from = self.seen.iter().rev().find(enough).unwrap_or(oldest);
        let (elapsed_us, called) = (now.saturating_sub(from.at_us), calls(from));
        if elapsed_us < ENOUGH_US || (called == 0 && elapsed_us < WINDOW_US) {
            return None;
        }
        // nobody called in so long: one at most in that time, and after all of it nothing is promised
        let least = u64::from(elapsed_us + 2_000_000 < WINDOW_MAX_US);
        let elapsed_s = elapsed_us as f64 / 1e6;
        let left = newest.leaves_total.saturating_sub(oldest.leaves_total) as f64;
        let waited = (oldest.waiting + newest.waiting).max(1) as f64 / 2.0;
        let leaves_s = (newest.at_us - oldest.at_us).max(1) as f64 / 1e6;
        Some(Speed {
            calls_per_second: called.max(least) as f64 / elapsed_s,
            calls_seen: called.max(1),
            leaving_per_second: left / leaves_s / waited,
        })
    }
}

fn coming(counts: &Counts) -> f64 {
    let (shows, all) = (counts.shows as f64, (counts.shows + counts.no_shows) as f64);
    (shows + COMING_UNKNOWN * UNKNOWN_WEIGHS) / (all + UNKNOWN_WEIGHS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn running(now_s: u64, rate_per_minute: u64) -> DropState {
        DropState { now: now_s * S, epoch: 1, opens_at: Some(1), rate_per_minute, ..DropState::default() }
    }

    fn called(called_total: u64) -> Counts {
        Counts { called_total, waiting: 1_000, ..Counts::default() }
    }

    /// A look each second, at `per_second` calls.
    fn look(meter: &mut Meter, seconds: std::ops::Range<u64>, per_second: u64, rate: u64) -> Speed {
        let mut speed = Speed::default();
        for second in seconds {
            speed = meter.measure(&running(second, rate), &called(second * per_second));
        }
        speed
    }

    #[test]
    fn the_tuned_rate_until_measured() {
        let mut meter = Meter::default();
        assert_eq!(look(&mut meter, 1..15, 15, 600).calls_per_second, 12.5, "the first burst is not measured");
        let measured = look(&mut meter, 15..61, 15, 600);
        assert_eq!((measured.calls_per_second, measured.calls_seen), (15.0, 450));
        let few = Counts { shows: 50, no_shows: 150, waiting: 9, ..Counts::default() };
        let speed = Meter::default().measure(&running(1, 600), &few).calls_per_second;
        assert!((18.0..20.0).contains(&speed), "{speed}: many of those called did not come");
    }

    #[test]
    fn another_rate_begins_anew_and_so_does_a_pause() {
        let mut meter = Meter::default();
        look(&mut meter, 1..60, 15, 600);
        assert_eq!(look(&mut meter, 60..61, 15, 60).calls_per_second, 1.25);
        let stops: [fn(&mut DropState); 4] = [
            |drop| drop.paused_at = Some(5),
            |drop| drop.covered = true,
            |drop| drop.sold_out = true,
            |drop| drop.regather_until = Some(u64::MAX),
        ];
        for (stop, from) in stops.into_iter().zip((100..).step_by(100)) {
            assert_ne!(look(&mut meter, from..from + 60, 2, 60).calls_seen, 0);
            let mut stopped = running(from + 60, 60);
            stop(&mut stopped);
            assert_eq!(meter.measure(&stopped, &called(2 * (from + 60))).calls_per_second, 1.25);
            let after = look(&mut meter, from + 61..from + 62, 2, 60);
            assert_eq!(after.calls_seen, 0, "what came before {stopped:?} is forgotten");
        }
    }

    #[test]
    fn an_idle_line_is_not_a_slow_one() {
        let mut meter = Meter::default();
        for second in 1..100 {
            meter.measure(&running(second, 600), &Counts { called_total: 7, ..Counts::default() });
        }
        assert_eq!(meter.measure(&running(100, 600), &called(7)).calls_per_second, 12.5);
    }

    #[test]
    fn where_nobody_is_called_for_minutes_nothing_is_promised() {
        let mut meter = Meter::default();
        assert_eq!(look(&mut meter, 1..30, 0, 600).calls_per_second, 12.5);
        let slow = look(&mut meter, 30..120, 0, 600).calls_per_second;
        assert!(slow < 0.02, "{slow}");
        assert_eq!(look(&mut meter, 120..330, 0, 600).calls_per_second, 0.0);
    }

    #[test]
    fn those_who_leave_shorten_the_wait() {
        let mut meter = Meter::default();
        let mut speed = Speed::default();
        for second in 1..60 {
            let counts = Counts { leaves_total: second, ..called(second * 10) };
            speed = meter.measure(&running(second, 600), &counts);
        }
        assert!((speed.leaving_per_second - 0.001).abs() < 1e-9, "{speed:?}");
    }
}
