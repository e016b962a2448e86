//! Money and time in the words of fans.

use iso_currency::Currency;
use jiff::{Timestamp, tz::TimeZone};
pub(crate) use shared::words::grouped;

use crate::catalogue::{events::Event, layout::Access};

/// Digits after the point where the currency is none we know.
const EXPONENT: u16 = 2;

/// An amount in minor units (ISO 4217) as it is read: `$35.00`, `¥3,500`, `35.00 CHF`. A symbol that several
/// currencies share stands only for the one that everybody takes it for; the others go by their code.
pub(crate) fn money(amount_minor: i64, currency: &str) -> String {
    let exponent = Currency::from_code(currency).map_or(Some(EXPONENT), Currency::exponent).unwrap_or(0);
    let unit = 10_u64.pow(exponent.into());
    let amount = amount_minor.unsigned_abs();
    let sign = if amount_minor < 0 { "-" } else { "" };
    let whole = grouped(amount / unit);
    let number = match exponent {
        0 => whole,
        digits => format!("{whole}.{:0width$}", amount % unit, width = usize::from(digits)),
    };
    match symbol(currency) {
        Some(symbol) => format!("{sign}{symbol}{number}"),
        None => format!("{sign}{number} {currency}"),
    }
}

fn symbol(currency: &str) -> Option<&'static str> {
    match currency {
        "USD" => Some("$"),
        "EUR" => Some("€"),
        "GBP" => Some("£"),
        "JPY" => Some("¥"),
        _ => None,
    }
}

/// `1 seat`, `2 seats`: a count with its noun.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// For whom a seat is kept, as a kind of seat.
pub(crate) fn access(access: Access) -> &'static str {
    match access {
        Access::Wheelchair => "wheelchair space",
        Access::Companion => "companion seat",
    }
}

/// When an event is, by the clock on the venue's wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// `Friday, 12 March 2027`
    pub day: String,
    /// `7:30 pm`; none where nobody said.
    pub time: Option<String>,
    /// Whose clock it is: `New York time`; only beside a time.
    pub zone: Option<String>,
    /// For the `datetime` of a `<time>` element.
    pub machine: String,
}

pub(crate) fn when(event: &Event) -> When {
    let zone = event.venue.timezone.as_deref().filter(|_| event.time.is_some()).map(zone);
    let machine = match (&event.starts_at, event.time) {
        (Some(instant), _) => instant.clone(),
        (None, Some(time)) => event.date.to_datetime(time).strftime("%Y-%m-%dT%H:%M").to_string(),
        (None, None) => event.date.to_string(),
    };
    When {
        day: event.date.strftime("%A, %-d %B %Y").to_string(),
        time: event.time.map(|time| time.strftime("%-I:%M %P").to_string()),
        zone,
        machine,
    }
}

/// A point in time by the clock of a place, or by UTC where nobody said which.
pub(crate) fn moment(at: Timestamp, timezone: Option<&str>) -> When {
    let known = timezone.and_then(|name| Some((TimeZone::get(name).ok()?, zone(name))));
    let (timezone, zone) = known.unwrap_or_else(|| (TimeZone::UTC, "UTC".to_owned()));
    let there = at.to_zoned(timezone);
    When {
        day: there.strftime("%A, %-d %B %Y").to_string(),
        time: Some(there.strftime("%-I:%M %P").to_string()),
        zone: Some(zone),
        machine: at.to_string(),
    }
}

/// How long something is away, in the largest unit that says enough: `3 days`, `26 hours`, `12 minutes`.
pub(crate) fn wait(seconds: i64) -> String {
    let units = [(24 * 60 * 60, 2, "day", "days"), (60 * 60, 2, "hour", "hours"), (60, 1, "minute", "minutes")];
    match units.into_iter().find(|(unit, least, ..)| seconds >= unit * least) {
        Some((unit, _, one, many)) => counted((seconds / unit).unsigned_abs(), one, many),
        None => "under a minute".to_owned(),
    }
}

/// The city an IANA name ends with, which is what people call its time.
fn zone(iana: &str) -> String {
    let city = iana.rsplit('/').next().unwrap_or(iana);
    match city {
        "UTC" | "GMT" => city.to_owned(),
        city => format!("{} time", city.replace('_', " ")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::civil;
    use uuid::Uuid;

    use super::*;
    use crate::catalogue::events::Venue;

    pub(in crate::pages) fn event(date: civil::Date, time: Option<civil::Time>, timezone: Option<&str>) -> Event {
        Event {
            event_id: Uuid::nil(),
            identifier: None,
            name: "An Evening".to_owned(),
            category: "music".to_owned(),
            description: String::new(),
            date,
            time,
            starts_at: None,
            venue: Venue {
                venue_id: Uuid::nil(),
                slug: None,
                name: "Small Hall".to_owned(),
                address: String::new(),
                city: String::new(),
                timezone: timezone.map(str::to_owned),
            },
            performers: vec![],
            works: vec![],
            organizer: String::new(),
            series: String::new(),
            keywords: String::new(),
            currency: "USD".to_owned(),
            seating: None,
            layout: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn money_follows_its_currency() {
        for (amount, currency, expected) in [
            (3_500, "USD", "$35.00"),
            (5, "EUR", "€0.05"),
            (123_456_789, "GBP", "£1,234,567.89"),
            (3_500, "JPY", "¥3,500"),
            (3_500, "CHF", "35.00 CHF"),
            (3_500, "CAD", "35.00 CAD"),
            (3_500, "KWD", "3.500 KWD"),
            (-3_500, "USD", "-$35.00"),
            (0, "USD", "$0.00"),
            (100, "???", "1.00 ???"),
            (i64::MIN, "JPY", "-¥9,223,372,036,854,775,808"),
        ] {
            assert_eq!(money(amount, currency), expected);
        }
    }

    #[test]
    fn a_count_goes_with_its_noun() {
        assert_eq!(counted(1, "seat", "seats"), "1 seat");
        assert_eq!(counted(2_804, "seat", "seats"), "2,804 seats");
    }

    #[test]
    fn when_is_by_the_clock_at_the_venue() {
        let evening = event(civil::date(2027, 3, 12), Some(civil::time(19, 30, 0, 0)), Some("America/New_York"));
        let evening = Event { starts_at: Some("2027-03-12T19:30:00-05:00".to_owned()), ..evening };
        let expected = When {
            day: "Friday, 12 March 2027".to_owned(),
            time: Some("7:30 pm".to_owned()),
            zone: Some("New York time".to_owned()),
            machine: "2027-03-12T19:30:00-05:00".to_owned(),
        };
        assert_eq!(when(&evening), expected);
    }

    #[test]
    fn what_nobody_said_is_not_made_up() {
        let day_only = when(&event(civil::date(1842, 12, 7), None, Some("America/New_York")));
        assert_eq!((day_only.day.as_str(), day_only.machine.as_str()), ("Wednesday, 7 December 1842", "1842-12-07"));
        assert_eq!((day_only.time, day_only.zone), (None, None));
        let no_zone = when(&event(civil::date(1842, 12, 7), Some(civil::time(0, 5, 0, 0)), None));
        assert_eq!((no_zone.time.as_deref(), no_zone.zone), (Some("12:05 am"), None));
        assert_eq!(no_zone.machine, "1842-12-07T00:05");
    }

    #[test]
    fn a_moment_is_by_the_clock_of_its_place() {
        let at: Timestamp = "2027-03-12T15:00:00Z".parse().unwrap();
        let there = moment(at, Some("America/New_York"));
        assert_eq!((there.time.as_deref(), there.zone.as_deref()), (Some("10:00 am"), Some("New York time")));
        assert_eq!(there.machine, "2027-03-12T15:00:00Z");
        let nowhere = moment(at, None);
        assert_eq!((nowhere.time.as_deref(), nowhere.zone.as_deref()), (Some("3:00 pm"), Some("UTC")));
    }

    #[test]
    fn a_wait_is_told_in_one_unit() {
        for (seconds, expected) in [
            (3 * 86_400 + 5, "3 days"),
            (47 * 3_600, "47 hours"),
            (3_600, "60 minutes"),
            (61, "1 minute"),
            (59, "under a minute"),
            (-5, "under a minute"),
        ] {
            assert_eq!(wait(seconds), expected);
        }
    }

    #[test]
    fn a_zone_goes_by_its_city() {
        assert_eq!(zone("America/Argentina/Buenos_Aires"), "Buenos Aires time");
        assert_eq!(zone("Etc/UTC"), "UTC");
    }
}
