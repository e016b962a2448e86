//! From one line to what is stored: checked, trimmed, with the fingerprint of its meaning.

use jiff::{Timestamp, civil};
use serde::Serialize;
use shared::encoding;

use super::schema_org;

/// Characters in an identifier.
const IDENTIFIER_CHARS_MAX: usize = 200;
/// Characters in a name of an event, work, series, organizer or role.
const NAME_CHARS_MAX: usize = 1_000;
/// Characters in a name by which a venue or performer is found again: with its address a
/// venue's must fit an index row of Postgres (2,704 bytes).
const KEY_CHARS_MAX: usize = 300;
/// Characters in a description or all keywords together.
const TEXT_CHARS_MAX: usize = 20_000;
/// Performers, and works, of one event.
const LIST_MAX: usize = 1_000;

/// An event as it will stand in the tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Record {
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) description: String,
    #[serde(flatten)]
    pub(super) start: Start,
    pub(super) venue: String,
    pub(super) address: String,
    pub(super) city: String,
    pub(super) organizer: String,
    pub(super) series: String,
    pub(super) keywords: String,
    pub(super) performers: Vec<Performer>,
    pub(super) works: Vec<Work>,
    /// SHA-256 over all of the above.
    #[serde(skip)]
    pub(super) fingerprint: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Start {
    pub(super) date: civil::Date,
    pub(super) time: Option<civil::Time>,
    /// Set when the line gave the time in UTC: at a venue whose zone is known, this is what
    /// counts. A time with any other offset was written by the venue's clock.
    pub(super) utc: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Performer {
    pub(super) name: String,
    /// person or group
    pub(super) kind: &'static str,
    pub(super) role: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Work {
    pub(super) name: String,
    pub(super) composer: String,
}

/// The record of a line, or why there is none.
pub(super) fn parse(line: &[u8]) -> Result<Record, String> {
    let event = schema_org::parse(line)?;
    let named = |what: &str, value: &str| clean(what, value, NAME_CHARS_MAX);
    let needed = |what: &str, value: &str, max: usize| match clean(what, value, max)? {
        empty if empty.is_empty() => Err(format!("{what} is empty")),
        text => Ok(text),
    };
    for (what, count) in [("performer", event.performer.len()), ("workPerformed", event.work_performed.len())] {
        if count > LIST_MAX {
            return Err(format!("{what} lists {count}, more than {LIST_MAX}"));
        }
    }
    let mut performers = Vec::with_capacity(event.performer.len());
    for performer in &event.performer {
        let name = clean("performer.name", &performer.name, KEY_CHARS_MAX)?;
        if !name.is_empty() {
            let kind = if performer.is_group { "group" } else { "person" };
            performers.push(Performer { name, kind, role: named("performer.jobTitle", &performer.role)? });
        }
    }
    let mut works = Vec::with_capacity(event.work_performed.len());
    for work in &event.work_performed {
        let name = named("workPerformed.name", &work.name)?;
        let composer = named("workPerformed.composer", &work.composer)?;
        if !(name.is_empty() && composer.is_empty()) {
            works.push(Work { name, composer });
        }
    }
    let address = clean("location.address", &event.location.address.text, KEY_CHARS_MAX)?;
    let city = match &event.location.address.locality {
        Some(locality) => named("location.address.addressLocality", locality)?,
        None => city_of(&address).to_owned(),
    };
    let mut record = Record {
        identifier: needed("identifier", &event.identifier, IDENTIFIER_CHARS_MAX)?,
        name: needed("name", &event.name, NAME_CHARS_MAX)?,
        category: category(&event.kinds)?,
        description: clean("description", &event.description, TEXT_CHARS_MAX)?,
        start: start(event.start_date.trim())?,
        venue: needed("location.name", &event.location.name, KEY_CHARS_MAX)?,
        address,
        city,
        organizer: named("organizer", &event.organizer.join(", "))?,
        series: named("superEvent", &event.super_event.join(", "))?,
        keywords: clean("keywords", &event.keywords.join(", "), TEXT_CHARS_MAX)?,
        performers,
        works,
        fingerprint: [0; 32],
    };
    let meaning = serde_json::to_vec(&record).map_err(|error| error.to_string())?;
    record.fingerprint = encoding::sha256(&[&meaning]);
    Ok(record)
}

/// Trimmed text of bounded length that Postgres can store.
fn clean(what: &str, value: &str, chars_max: usize) -> Result<String, String> {
    let value = value.trim();
    if value.contains('\0') {
        return Err(format!("{what} contains a NUL character"));
    }
    if value.chars().count() > chars_max {
        return Err(format!("{what} is longer than {chars_max} characters"));
    }
    Ok(value.to_owned())
}

/// music for a MusicEvent, theater for a TheaterEvent, …; event for a plain Event.
fn category(kinds: &[String]) -> Result<String, String> {
    let names = kinds.iter().map(|kind| kind.rsplit(['/', ':']).next().unwrap_or(kind));
    let mut best = None;
    for name in names {
        match name {
            "Event" => best = best.or(Some("event".to_owned())),
            "Festival" | "Hackathon" => return Ok(name.to_ascii_lowercase()),
            _ => {
                if let Some(kind) = name.strip_suffix("Event").filter(|kind| kind.chars().all(char::is_alphanumeric)) {
                    return Ok(kind.to_lowercase());
                }
            }
        }
    }
    best.ok_or_else(|| format!("@type {kinds:?} is not an Event"))
}

/// A date, or a date and time; without an offset it is the venue's clock.
fn start(text: &str) -> Result<Start, String> {
    let refused = |error: jiff::Error| format!("startDate {text:?} is neither a date nor a date and time: {error}");
    let has_time = text.contains(['T', 't', ' ']);
    let (date, time, utc) = if !has_time {
        (text.parse::<civil::Date>().map_err(refused)?, None, None)
    } else if text.ends_with(['Z', 'z']) {
        let instant: Timestamp = text.parse().map_err(refused)?;
        let clock = instant.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        (clock.date(), Some(clock.time()), Some(instant))
    } else {
        let clock = text.parse::<civil::DateTime>().map_err(refused)?;
        (clock.date(), Some(clock.time()), None)
    };
    if date.year() < 1 {
        return Err(format!("startDate {text:?} lies before the year 1"));
    }
    // Postgres keeps microseconds; a concert needs none of them
    let time = time.map(|time| civil::time(time.hour(), time.minute(), time.second(), 0));
    Ok(Start { date, time, utc })
}

/// The town in an address on one line: "Manhattan, NY", "881 7th Ave, New York, NY 10019".
fn city_of(address: &str) -> &str {
    let parts: Vec<&str> = address.split(',').map(str::trim).collect();
    match parts.as_slice() {
        [only] | [only, _] => only,
        [_, town, ..] => town,
        [] => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn concert() -> Value {
        json!({
            "@context": "https://schema.org", "@type": "MusicEvent", "identifier": "x-1", "name": " Evening ",
            "startDate": "1842-12-07T20:00:00", "keywords": ["Season", "Special"], "offers": {"price": 3},
            "superEvent": {"@type": "EventSeries", "name": "Season 1842-43"},
            "location": {"@type": "MusicVenue", "name": "Apollo Rooms", "address": "Manhattan, NY"},
            "organizer": "Philharmonic",
            "performer": [{"@type": "Person", "name": "U. C. Hill", "jobTitle": "Conductor"},
                          {"@type": "MusicGroup", "name": "Choir"}],
            "workPerformed": {"name": "OBERON", "composer": {"name": "Carl Maria von Weber"}},
        })
    }

    fn parse_value(value: &Value) -> Result<Record, String> {
        parse(value.to_string().as_bytes())
    }

    fn with(field: &str, value: Value) -> Result<Record, String> {
        let mut concert = concert();
        concert[field] = value;
        parse_value(&concert)
    }

    #[test]
    fn reads_the_shapes_of_schema_org() {
        let record = parse_value(&concert()).unwrap();
        assert_eq!((record.name.as_str(), record.category.as_str()), ("Evening", "music"));
        assert_eq!((record.venue.as_str(), record.city.as_str()), ("Apollo Rooms", "Manhattan"));
        assert_eq!(record.keywords, "Season, Special");
        assert_eq!(record.performers[1].kind, "group");
        assert_eq!(record.works[0].composer, "Carl Maria von Weber");
        let postal = json!({"name": "Hall", "address": {"streetAddress": "57th St", "addressLocality": "New York"}});
        let record = with("location", postal).unwrap();
        assert_eq!((record.address.as_str(), record.city.as_str()), ("57th St, New York", "New York"));
    }

    #[test]
    fn times_are_the_venues() {
        let start = |text: &str| with("startDate", text.into()).unwrap().start;
        assert_eq!(start("1843-11-18").time, None);
        assert_eq!(start("1843-11-18T20:00:00").time, Some(civil::time(20, 0, 0, 0)));
        assert_eq!(start("2026-11-28T20:00:00-05:00").time, Some(civil::time(20, 0, 0, 0)));
        assert_eq!(start("2026-11-29T01:00:00Z").utc, "2026-11-29T01:00:00Z".parse().ok());
    }

    #[test]
    fn says_what_is_wrong() {
        let reason = |field: &str, value: Value| with(field, value).unwrap_err();
        assert_eq!(reason("name", json!(7)), "name must be text, not a number");
        assert_eq!(reason("name", json!(null)), "name is missing");
        assert_eq!(reason("name", json!(" ")), "name is empty");
        assert_eq!(reason("location", json!({"address": "x"})), "location.name is missing");
        assert_eq!(reason("location", json!([])), "location is empty");
        assert_eq!(reason("performer", json!([{"name": 1}])), "performer.name must be text, not a number");
        assert!(reason("startDate", json!("tomorrow")).starts_with("startDate \"tomorrow\" is neither"));
        assert!(reason("startDate", json!("2026-02-30")).starts_with("startDate"));
        assert!(reason("@type", json!("Person")).contains("not an Event"));
        assert!(reason("description", json!("a\0b")).contains("NUL"));
        assert!(parse(b"{").unwrap_err().starts_with("not JSON"));
        assert!(parse(b"{\"name\": \"\xff\"}").unwrap_err().starts_with("not JSON"));
        assert_eq!(parse(b"[]").unwrap_err(), "not a JSON object");
    }

    #[test]
    fn the_fingerprint_is_of_the_meaning() {
        let first = parse_value(&concert()).unwrap();
        assert_eq!(with("offers", json!(null)).unwrap().fingerprint, first.fingerprint);
        assert_ne!(with("keywords", json!("Season")).unwrap().fingerprint, first.fingerprint);
    }
}
