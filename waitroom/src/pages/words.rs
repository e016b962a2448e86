//! Numbers and spans of time as fans read them, in their language. `words.js` says positions and estimates the
//! same way. Templates pass references, so that is what is taken.

use admission::{chance::Chance, estimate::Estimate};
use jiff::Timestamp;

use super::{catalogue::Catalogue, views::Drawing};

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;
/// From here on a countdown tells days: more hours are hard to grasp.
const IN_DAYS_S: u64 = 48 * HOUR_S;

impl Catalogue {
    /// Who stands before.
    pub(super) fn ahead(&self, ahead: u64) -> String {
        match ahead {
            0 => self.text("ahead-nobody").to_owned(),
            some => self.count("ahead", some),
        }
    }

    /// How long the wait will be: half of the fans wait no longer than the first number, nine in ten no longer than
    /// the second. Rounded outwards, so that it promises nothing the measurement does not.
    pub(super) fn estimate(&self, estimate: Option<Estimate>) -> String {
        let Some(Estimate { p50_s, p90_s }) = estimate else { return self.text("estimate-unknown").to_owned() };
        if p90_s <= MINUTE_S {
            return self.text("estimate-soon").to_owned();
        }
        if p90_s > 2 * HOUR_S {
            return self.hours(p50_s / (HOUR_S / 2), p90_s.div_ceil(HOUR_S / 2));
        }
        match (p50_s / MINUTE_S, p90_s.div_ceil(MINUTE_S)) {
            (0, high) => self.count("estimate-up-to-minutes", high),
            (low, high) if low == high => self.count("estimate-minutes", low),
            (low, high) => {
                let values = [("low", &*self.number(&low)), ("n", &self.number(&high))];
                self.counted("estimate-minutes-between", self.category(high), &values)
            }
        }
    }

    /// From `low` to `high` half hours.
    fn hours(&self, low: u64, high: u64) -> String {
        // "2½ hours": what is counted in fractions has the form of any number, in all our languages
        let category = if high.is_multiple_of(2) { self.category(high / 2) } else { "other" };
        let (low_text, high_text) = (self.halves(low), self.halves(high));
        match low {
            0 => self.counted("estimate-up-to-hours", category, &[("n", &high_text)]),
            _ => self.counted("estimate-hours-between", category, &[("low", &low_text), ("n", &high_text)]),
        }
    }

    /// Half hours as hours: 3 is "1½".
    fn halves(&self, half_hours: u64) -> String {
        let hours = self.number(&(half_hours / 2));
        match (half_hours.is_multiple_of(2), &*self.language.half) {
            (true, _) => hours,
            (false, "½") if half_hours == 1 => "½".to_owned(),
            (false, half) => format!("{hours}{half}"),
        }
    }

    /// How long those at the door need for it, at the rate in force.
    pub(super) fn door(&self, claims: u64, rate_per_minute: u64) -> String {
        self.span(claims.div_ceil(rate_per_minute.max(1)).max(1) * MINUTE_S)
    }

    /// A span an operator set: "2 minutes", "90 seconds", "1 hour".
    pub(super) fn span(&self, seconds: u64) -> String {
        match seconds {
            _ if seconds > 0 && seconds.is_multiple_of(HOUR_S) => self.count("span-hours", seconds / HOUR_S),
            _ if seconds > 0 && seconds.is_multiple_of(MINUTE_S) => self.count("span-minutes", seconds / MINUTE_S),
            _ if seconds < 5 * MINUTE_S => self.count("span-seconds", seconds),
            _ => self.count("span-about-minutes", seconds / MINUTE_S),
        }
    }

    /// Tickets left, where that is known.
    pub(super) fn left(&self, count: &Option<u64>) -> String {
        count.as_ref().map_or_else(|| self.text("left-unknown").to_owned(), |count| self.number(count))
    }

    /// The chance of a ticket, in a word and in a sentence.
    pub(super) fn chance(&self, chance: Option<Chance>) -> (&str, &str) {
        let (word, why) = match chance {
            None => ("chance-unknown", "chance-why-unknown"),
            Some(Chance::Good) => ("chance-good", "chance-why-good"),
            Some(Chance::Fair) => ("chance-fair", "chance-why-fair"),
            Some(Chance::Slim) => ("chance-slim", "chance-why-slim"),
            Some(Chance::None) => ("chance-none", "chance-why-none"),
        };
        (self.text(word), self.text(why))
    }

    /// How far the draw has come.
    pub(super) fn drawn(&self, draw: &Drawing) -> String {
        let (drawn, total) = (self.number(&draw.drawn), self.number(&draw.total));
        self.with("drawn", "n", &drawn).replace("{total}", &total)
    }

    /// Why a drop stands still: what we say ourselves is known in every language, an operator's words are theirs.
    pub(super) fn reason<'a>(&'a self, reason: &'a str) -> &'a str {
        if reason == admission::BOOKING_SILENT { self.text("reason-shop-silent") } else { reason }
    }

    /// A moment, for readers whose browser does not say it in their own time.
    pub(super) fn moment(&self, at: &Timestamp) -> String {
        at.strftime(&self.language.moment).to_string()
    }

    /// The hour alone.
    pub(super) fn hour(&self, at: &Timestamp) -> String {
        at.strftime(&self.language.hour).to_string()
    }

    /// A span as a clock, as `page.js` counts it down.
    pub(super) fn clock(&self, until: &Timestamp, now: &Timestamp) -> String {
        let left = u64::try_from(until.duration_since(*now).as_secs()).unwrap_or(0);
        let (hours, minutes, seconds) = (left / HOUR_S, left / MINUTE_S % 60, left % MINUTE_S);
        match hours {
            0 => format!("{minutes}:{seconds:02}"),
            _ if left < IN_DAYS_S => format!("{hours}:{minutes:02}:{seconds:02}"),
            _ => self.count("days", hours / 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(code: &str) -> &'static Catalogue {
        Catalogue::of(code).unwrap()
    }

    #[test]
    fn an_estimate_is_rounded_outwards() {
        let said = |p50_s, p90_s| say("en").estimate(Some(Estimate { p50_s, p90_s }));
        assert_eq!(said(10, 40), "less than a minute");
        assert_eq!(said(30, 100), "up to 2 minutes");
        assert_eq!(said(250, 400), "about 4 to 7 minutes");
        assert_eq!(said(3_700, 7_000), "about 61 to 117 minutes");
        assert_eq!(said(6_000, 9_100), "about 1½ to 3 hours");
        assert_eq!(said(1_700, 9_000), "up to 2½ hours");
        assert_eq!(say("en").estimate(None), "not known yet");
    }

    #[test]
    fn an_estimate_counts_as_its_language_does() {
        let said = |code, p50_s, p90_s| say(code).estimate(Some(Estimate { p50_s, p90_s }));
        assert_eq!(said("ar", 30, 100), "حتى دقيقتين");
        assert_eq!(said("ar", 250, 400), "بين 4 و7 دقائق");
        assert_eq!(said("ar", 6_000, 9_100), "بين 1.5 و3 ساعات");
        assert_eq!(said("ja", 6_000, 9_000), "約1.5〜2.5時間");
        assert_eq!(said("es", 1_800, 9_000), "entre 0,5 y 2,5 horas");
        assert_eq!(said("en", 1_800, 9_000), "about ½ to 2½ hours");
    }

    #[test]
    fn the_door_takes_as_long_as_the_rate_says() {
        assert_eq!(
            [(0, 0), (2, 6_000), (3, 1), (90, 20)].map(|(n, rate)| say("en").door(n, rate)).join(", "),
            "1 minute, 1 minute, 3 minutes, 5 minutes"
        );
    }

    #[test]
    fn spans_and_clocks() {
        assert_eq!(
            [1, 90, 120, 3_600, 1_000].map(|seconds| say("en").span(seconds)).join(", "),
            "1 second, 90 seconds, 2 minutes, 1 hour, about 16 minutes"
        );
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let clock = |left: i64| say("en").clock(&at(1_000_000 + left), &at(1_000_000));
        let clocks = [-5, 59, 754, 3_723, 172_729, 3 * 86_400].map(clock);
        assert_eq!(clocks, ["0:00", "0:59", "12:34", "1:02:03", "47:58:49", "3 days"]);
    }
}
