//! Scales that begin at nothing, and the ticks on them.

use super::words;

/// Steps of a minute and an hour, in seconds.
const TIME_STEPS_S: [f64; 20] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    14_400.0, 43_200.0,
];
/// Longer axes of time are labelled m:ss.
const SECONDS_MOST: f64 = 120.0;

/// One axis, from 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    /// Whole things, up to at least so many.
    Count { most: f64 },
    /// Seconds, up to exactly so many.
    Time { most_s: f64 },
}

/// Where a tick stands, and what it says.
pub(super) type Tick = (f64, String);

impl Axis {
    /// The ticks, about so many and rarely more, and the axis's end.
    pub(super) fn ticks(self, about: usize) -> (Vec<Tick>, f64) {
        let about = about.max(1) as f64;
        match self {
            Self::Count { most } => {
                let step = step_for(most.max(1.0) / about);
                let last = (most.max(1.0) / step - 1e-9).ceil();
                let ticks = (0..=last as u32).map(|n| f64::from(n) * step).map(|at| (at, words::figure(at)));
                (ticks.collect(), last * step)
            }
            Self::Time { most_s } => {
                let most_s = most_s.max(TIME_STEPS_S[0]);
                let widest = TIME_STEPS_S[TIME_STEPS_S.len() - 1];
                let step = TIME_STEPS_S.into_iter().find(|step| most_s / step <= about + 1e-9).unwrap_or(widest);
                let label = |at: f64| if most_s > SECONDS_MOST { words::clock(at) } else { words::figure(at) };
                let last = (most_s / step + 1e-9).floor() as u32;
                ((0..=last).map(|n| f64::from(n) * step).map(|at| (at, label(at))).collect(), most_s)
            }
        }
    }

    /// The unit that the labels of an axis of time are in.
    pub(super) fn time_unit(most_s: f64) -> &'static str {
        if most_s > SECONDS_MOST { "min:s" } else { "s" }
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that is no less.
fn step_for(least: f64) -> f64 {
    let magnitude = 10_f64.powf(least.log10().floor()).max(1.0);
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|step| *step >= least - 1e-9)
        .unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, about: usize) -> Vec<String> {
        axis.ticks(about).0.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn counts_end_at_a_tick_above_the_most() {
        assert_eq!(labels(Axis::Count { most: 2_804.0 }, 5), ["0", "1,000", "2,000", "3,000"]);
        assert_eq!(labels(Axis::Count { most: 41.0 }, 5), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(Axis::Count { most: 0.0 }, 5), ["0", "1"], "nothing happened");
        assert_eq!(labels(Axis::Count { most: 10.0 }, 5), ["0", "2", "4", "6", "8", "10"]);
    }

    #[test]
    fn times_end_where_the_run_ends() {
        assert_eq!(Axis::Time { most_s: 87.0 }.ticks(5).1, 87.0);
        assert_eq!(labels(Axis::Time { most_s: 87.0 }, 5), ["0", "20", "40", "60", "80"]);
        assert_eq!(labels(Axis::Time { most_s: 290.0 }, 5), ["0:00", "1:00", "2:00", "3:00", "4:00"]);
        assert_eq!(labels(Axis::Time { most_s: 0.0 }, 5).first().map(String::as_str), Some("0"));
        assert!(labels(Axis::Time { most_s: 86_400.0 }, 5).len() <= 6);
    }
}
