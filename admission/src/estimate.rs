//! How long the wait until the call will be, as an interval: half of the fans wait no longer than `p50_s`,
//! nine in ten no longer than `p90_s`.

mod meter;
#[cfg(test)]
mod simulation;

pub use meter::Meter;

/// An interval in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Estimate {
    pub p50_s: u64,
    pub p90_s: u64,
}

/// How an interval turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The fan waited less than `p50_s`.
    Early,
    /// From `p50_s` to `p90_s`.
    Right,
    /// Longer than `p90_s`.
    Late,
}

impl Estimate {
    /// How it turned out for a fan who was called `waited_s` whole seconds after it was shown. Half of the
    /// fans should come early and no more than one in ten late; time spent in a pause counts as waited.
    pub fn outcome(self, waited_s: u64) -> Outcome {
        if waited_s < self.p50_s {
            Outcome::Early
        } else if waited_s <= self.p90_s {
            Outcome::Right
        } else {
            Outcome::Late
        }
    }
}

/// How fast a line moves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Speed {
    /// Fans called a second; it counts those who are called and do not come.
    pub calls_per_second: f64,
    /// Calls that rests on; 0 while it is the tuned rate.
    pub calls_seen: u64,
    /// Of those who wait, the share that leaves by itself in a second.
    pub leaving_per_second: f64,
}

/// What nobody can measure, the line changing its ways while a fan waits: a standard deviation, as a share of
/// the wait.
const DRIFT: f64 = 0.1;
/// The upper decile of the standard normal distribution.
const Z90: f64 = 1.2816;

/// `ahead` fans stand before; `rate_per_minute` is the rate in force. `None` when nothing moves.
///
/// The line shortens at its front by calls, and everywhere by those who leave: n' = −calls − leaving·n, so a fan
/// is called after ln(1 + leaving·ahead ÷ calls) ÷ leaving. The spread is log-normal: those before come as a
/// Poisson process would have them, the speed was measured over so many calls and no more, and it drifts.
/// The upper end is not below what those ahead take at the rate in force, should every one of them come: calls
/// run ahead of the door, and a short burst of them promises nothing.
pub fn estimate(ahead: u64, speed: Speed, rate_per_minute: u64) -> Option<Estimate> {
    let Speed { calls_per_second, calls_seen, leaving_per_second } = speed;
    if calls_per_second <= 0.0 || !calls_per_second.is_finite() {
        return None;
    }
    let all_come_s = ahead.saturating_mul(60).div_ceil(rate_per_minute.max(1));
    let without_leaving = ahead as f64 / calls_per_second;
    let lost = leaving_per_second * without_leaving;
    let median = if lost > 1e-9 { without_leaving * lost.ln_1p() / lost } else { without_leaving };
    let measured = if calls_seen == 0 { 0.0 } else { 1.0 / calls_seen as f64 };
    let spread = (1.0 / (ahead as f64 + 1.0) + measured + DRIFT * DRIFT).sqrt();
    let late = median * (Z90 * spread).exp();
    let p50_s = median.floor() as u64;
    Some(Estimate { p50_s, p90_s: (late.ceil() as u64).max(p50_s + 1).max(all_come_s) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(calls_per_second: f64) -> Speed {
        Speed { calls_per_second, ..Speed::default() }
    }

    #[test]
    fn an_interval_grows_with_the_line_and_shrinks_with_the_rate() {
        assert_eq!(estimate(100, at(0.0), 600), None);
        let near = estimate(100, at(10.0), 600).unwrap();
        let far = estimate(10_000, at(10.0), 600).unwrap();
        assert_eq!(near.p50_s, 10);
        assert!(near.p90_s > near.p50_s && far.p50_s > near.p50_s);
        assert!(estimate(100, at(20.0), 1_200).unwrap().p50_s < near.p50_s);
        assert!(estimate(0, at(1.0), 60).unwrap().p90_s >= 1);
    }

    #[test]
    fn a_burst_of_calls_promises_no_more_than_the_rate_in_force() {
        assert_eq!(estimate(2, at(1.0), 1).unwrap().p90_s, 120);
        assert_eq!(
            estimate(2, at(1.0), 600),
            estimate(2, at(1.0), 6_000),
            "a rate above what is measured changes nothing"
        );
    }

    #[test]
    fn little_measured_makes_a_wide_interval_and_leaving_an_early_one() {
        let wide = estimate(1_000, Speed { calls_seen: 5, ..at(10.0) }, 600).unwrap();
        let narrow = estimate(1_000, Speed { calls_seen: 500, ..at(10.0) }, 600).unwrap();
        assert!(wide.p90_s > narrow.p90_s + 20, "{wide:?} {narrow:?}");
        let shrinking = estimate(1_000, Speed { leaving_per_second: 0.01, ..at(10.0) }, 600).unwrap();
        assert_eq!(shrinking.p50_s, 69, "ln(2) ÷ 0.01");
    }

    #[test]
    fn an_outcome_is_judged_by_both_ends() {
        let shown = Estimate { p50_s: 10, p90_s: 20 };
        let outcomes = [0, 9, 10, 20, 21].map(|waited_s| shown.outcome(waited_s));
        use Outcome::{Early, Late, Right};
        assert_eq!(outcomes, [Early, Early, Right, Right, Late]);
    }
}
