//! Numbers and spans of time as fans read them. `queue.js` says positions and estimates the same way.
//! Templates pass references, so that is what is taken.

use admission::estimate::Estimate;
use jiff::Timestamp;
use shared::words::grouped;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;

/// `1204332` is "1,204,332".
pub(super) fn number(number: &u64) -> String {
    grouped(*number)
}

/// Who stands before.
pub(super) fn ahead(ahead: u64) -> String {
    match ahead {
        0 => "Nobody is ahead of you: you are next".to_owned(),
        1 => "1 person is ahead of you".to_owned(),
        many => format!("{} people are ahead of you", number(&many)),
    }
}

/// How long the wait will be: half of the fans wait no longer than the first number, nine in ten no longer than
/// the second. Rounded outwards, so that it promises nothing the measurement does not.
pub(super) fn estimate(estimate: Option<Estimate>) -> String {
    let Some(Estimate { p50_s, p90_s }) = estimate else { return "not known yet".to_owned() };
    if p90_s <= MINUTE_S {
        return "less than a minute".to_owned();
    }
    if p90_s > 2 * HOUR_S {
        let (low, high) = (p50_s / (HOUR_S / 2), halves(p90_s.div_ceil(HOUR_S / 2)));
        return if low == 0 { format!("up to {high} hours") } else { format!("about {} to {high} hours", halves(low)) };
    }
    match (p50_s / MINUTE_S, p90_s.div_ceil(MINUTE_S)) {
        (0, high) => format!("up to {high} minutes"),
        (low, high) if low == high => format!("about {low} minutes"),
        (low, high) => format!("about {low} to {high} minutes"),
    }
}

/// Half hours as hours: 3 is "1½".
fn halves(half_hours: u64) -> String {
    match (half_hours / 2, half_hours % 2) {
        (hours, 0) => hours.to_string(),
        (0, _) => "½".to_owned(),
        (hours, _) => format!("{hours}½"),
    }
}

/// How long those at the door need for it, at the rate in force.
pub(super) fn door(claims: u64, rate_per_minute: u64) -> String {
    match claims.div_ceil(rate_per_minute.max(1)) {
        0..=1 => "a minute".to_owned(),
        minutes => span(minutes * MINUTE_S),
    }
}

/// A span an operator set: "2 minutes", "90 seconds", "1 hour".
pub(super) fn span(seconds: u64) -> String {
    let of = |count: u64, unit: &str| format!("{} {unit}{}", number(&count), if count == 1 { "" } else { "s" });
    match seconds {
        _ if seconds > 0 && seconds.is_multiple_of(HOUR_S) => of(seconds / HOUR_S, "hour"),
        _ if seconds > 0 && seconds.is_multiple_of(MINUTE_S) => of(seconds / MINUTE_S, "minute"),
        _ if seconds < 5 * MINUTE_S => of(seconds, "second"),
        _ => format!("about {}", of(seconds / MINUTE_S, "minute")),
    }
}

/// A moment, for readers whose browser does not say it in their own time.
pub(super) fn moment(at: &Timestamp) -> String {
    at.strftime("%A, %-d %B %Y, %-I:%M %P UTC").to_string()
}

/// The hour alone.
pub(super) fn hour(at: &Timestamp) -> String {
    at.strftime("%-I:%M %P UTC").to_string()
}

/// A span as a clock, as `page.js` counts it down.
pub(super) fn clock(until: &Timestamp, now: &Timestamp) -> String {
    let left = u64::try_from(until.duration_since(*now).as_secs()).unwrap_or(0);
    let (hours, minutes, seconds) = (left / HOUR_S, left / MINUTE_S % 60, left % MINUTE_S);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..24 => format!("{hours}:{minutes:02}:{seconds:02}"),
        24..48 => format!("1 day {} h", hours - 24),
        _ => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_outwards() {
        let said = |p50_s, p90_s| estimate(Some(Estimate { p50_s, p90_s }));
        assert_eq!(said(10, 40), "less than a minute");
        assert_eq!(said(30, 100), "up to 2 minutes");
        assert_eq!(said(250, 400), "about 4 to 7 minutes");
        assert_eq!(said(3_700, 7_000), "about 61 to 117 minutes");
        assert_eq!(said(6_000, 9_100), "about 1½ to 3 hours");
        assert_eq!(said(1_700, 9_000), "up to 2½ hours");
        assert_eq!(estimate(None), "not known yet");
    }

    #[test]
    fn the_door_takes_as_long_as_the_rate_says() {
        assert_eq!(
            [(0, 0), (2, 6_000), (3, 1), (90, 20)].map(|(n, rate)| door(n, rate)).join(", "),
            "a minute, a minute, 3 minutes, 5 minutes"
        );
    }

    #[test]
    fn spans_and_clocks() {
        assert_eq!(
            [1, 90, 120, 3_600, 1_000].map(span).join(", "),
            "1 second, 90 seconds, 2 minutes, 1 hour, about 16 minutes"
        );
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let clocks = [-5, 59, 754, 3_723, 172_729, 3 * 86_400].map(|left| clock(&at(1_000_000 + left), &at(1_000_000)));
        assert_eq!(clocks, ["0:00", "0:59", "12:34", "1:02:03", "1 day 23 h", "3 days"]);
    }
}
