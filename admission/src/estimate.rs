//! How long the wait will be, as an interval: half of the fans wait no longer than `p50_s`, nine in
//! ten no longer than `p90_s`.

/// An interval in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Estimate {
    pub p50_s: u64,
    pub p90_s: u64,
}

/// How much slower than measured the front may move for one fan in ten.
const SLOWER: f64 = 1.25;
/// The upper decile of the standard normal distribution.
const Z90: f64 = 1.2816;

/// `ahead` fans stand before, and the front of the line moves by `per_second` (calls a second as
/// measured, which counts those who are called and do not come; or the tuned rate before anything was
/// measured). `None` when nothing moves.
///
/// The spread is that of a Poisson process over `ahead` steps, on a front that may slow down. The upper end is
/// not below what those ahead take at `rate_per_minute`, the rate in force, should every one of them come: calls
/// run ahead of the door, and a short burst of them promises nothing.
pub fn estimate(ahead: u64, per_second: f64, rate_per_minute: u64) -> Option<Estimate> {
    if per_second <= 0.0 || !per_second.is_finite() {
        return None;
    }
    let all_come_s = ahead.saturating_mul(60).div_ceil(rate_per_minute.max(1));
    let ahead = ahead as f64;
    let median = ahead / per_second;
    let late = (ahead + Z90 * ahead.sqrt()) / per_second * SLOWER;
    Some(Estimate {
        p50_s: median.ceil() as u64,
        p90_s: (late.ceil() as u64).max(median.ceil() as u64 + 1).max(all_come_s),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_grows_with_the_line_and_shrinks_with_the_rate() {
        assert_eq!(estimate(100, 0.0, 600), None);
        let near = estimate(100, 10.0, 600).unwrap();
        let far = estimate(10_000, 10.0, 600).unwrap();
        assert_eq!(near.p50_s, 10);
        assert!(near.p90_s > near.p50_s && far.p50_s > near.p50_s);
        assert!(estimate(100, 20.0, 1_200).unwrap().p50_s < near.p50_s);
        assert!(estimate(0, 1.0, 60).unwrap().p90_s >= 1);
    }

    #[test]
    fn a_burst_of_calls_promises_no_more_than_the_rate_in_force() {
        assert_eq!(estimate(2, 1.0, 1).unwrap(), Estimate { p50_s: 2, p90_s: 120 });
        assert_eq!(estimate(2, 1.0, 600), estimate(2, 1.0, 6_000), "a rate above what is measured changes nothing");
    }
}
