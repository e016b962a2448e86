//! Numbers and times as people read them.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

/// Text inside markup: nothing in it is taken for a tag, an entity or the end of an attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

/// 2804 → `2,804`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with no more decimals than it deserves: 0.25, 4.5, 33, 2,804.
pub(super) fn figure(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 || number.fract() == 0.0 => return count(number.abs().round() as u64),
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Milliseconds in the unit that reads best: `0.4 ms`, `87 ms`, `1.25 s`, `2:05 min`.
pub(super) fn duration(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 9_995.0 {
        format!("{:.2} s", ms / 1e3)
    } else if ms < 99_950.0 {
        format!("{:.1} s", ms / 1e3)
    } else {
        format!("{} min", clock(ms / 1e3))
    }
}

/// Seconds as m:ss.
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// 12.34 → `12.3 %`; what is there but next to nothing is not shown as nothing.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.1 { "under 0.1 %".to_owned() } else { format!("{share:.1} %") }
}

/// `22 November 2026, 07:30 UTC`.
pub(super) fn moment(us: i64) -> String {
    match Timestamp::from_microsecond(us) {
        Ok(at) => at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string(),
        Err(_) => "a time beyond the calendar".to_owned(),
    }
}

/// Minor units, a hundred to one: `$12,345.50`, `35.00 CHF`.
pub(super) fn money(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "−" } else { "" };
    let amount = format!("{}.{:02}", count(minor.unsigned_abs() / 100), minor.unsigned_abs() % 100);
    match currency {
        "USD" => format!("{sign}${amount}"),
        "EUR" => format!("{sign}€{amount}"),
        "GBP" => format!("{sign}£{amount}"),
        other => format!("{sign}{amount} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 7, 999, 1_000, 2_804, 1_234_567].map(count), ["0", "7", "999", "1,000", "2,804", "1,234,567"]);
        assert_eq!([0.0, 0.25, 4.5, 33.34, 40.0, 2_804.4].map(figure), ["0", "0.25", "4.5", "33.3", "40", "2,804"]);
        assert_eq!(
            [0.44, 87.2, 999.9, 1_250.0, 99_999.0, 125_000.0].map(duration),
            ["0.4 ms", "87 ms", "1.00 s", "1.25 s", "1:40 min", "2:05 min"]
        );
        assert_eq!([0.0, 0.01, 12.34, 100.0].map(percent), ["0.0 %", "under 0.1 %", "12.3 %", "100.0 %"]);
        assert_eq!(moment(1_795_233_600_000_000), "21 November 2026, 04:00 UTC");
        assert_eq!([1_234_550, -500].map(|minor| money(minor, "USD")), ["$12,345.50", "−$5.00"]);
        assert_eq!(money(3_500, "CHF"), "35.00 CHF");
    }

    #[test]
    fn markup_in_text_stays_text() {
        let text = Escaped(r#"<script>alert("x")</script> & 'so'"#).to_string();
        assert_eq!(text, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;so&#39;");
    }
}
