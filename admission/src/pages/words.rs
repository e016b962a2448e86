//! Figures, states and the audit, in the words of the console.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
pub(super) use shared::words::grouped;

use crate::{audit, drops, routes::live::Live};

const UNKNOWN: &str = "–";

/// What a rate means to people: "33 a second", "1 every 6 seconds".
pub(super) fn pace(rate_per_minute: i32) -> String {
    let per_second = f64::from(rate_per_minute.max(1)) / 60.0;
    if per_second >= 10.0 {
        format!("{} a second", grouped(per_second.round() as u64))
    } else if per_second >= 1.0 {
        format!("{} a second", trimmed(per_second))
    } else {
        format!("1 every {} seconds", trimmed(1.0 / per_second))
    }
}

/// One decimal, unless it says nothing.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A state as a badge says it, and the badge's class.
pub(super) fn state(word: &str) -> (&'static str, &'static str) {
    match word {
        "scheduled" => ("Not open yet", "info"),
        "running" => ("Running", "good"),
        "paused" => ("Paused", "warn"),
        "covered" => ("All held or sold", "warn"),
        "restoring" => ("Restoring", "warn"),
        "sold_out" => ("Sold out", "neutral"),
        "ended" => ("Ended", "neutral"),
        _ => ("Unknown", "neutral"),
    }
}

/// A stored state as the line's word for it.
pub(super) fn stored(state: drops::State) -> &'static str {
    match state {
        drops::State::Scheduled => "scheduled",
        drops::State::Running => "running",
        drops::State::Paused => "paused",
        drops::State::Ended => "ended",
    }
}

/// What the drop is called.
pub(super) fn title(drop: &drops::Drop) -> &str {
    &drop.settings.title
}

/// A line's figures as people read them; a dash for what is not known.
pub(super) struct Figures {
    /// Those in the lobby too.
    pub(super) waiting: String,
    pub(super) called: String,
    pub(super) claims: String,
    pub(super) granted: String,
    pub(super) active: String,
    pub(super) capacity: String,
    pub(super) held: String,
    pub(super) sold: String,
    /// Of those called lately, how many did not come.
    pub(super) no_show: String,
    pub(super) lobby: String,
    /// Fans whose estimate turned out, and the shares of those called before, inside and after it.
    pub(super) judged: String,
    pub(super) early: String,
    pub(super) right: String,
    pub(super) late: String,
}

impl Figures {
    pub(super) fn new(live: Option<&Live>) -> Self {
        let figure = |of: fn(&Live) -> u64| live.map_or(UNKNOWN.to_owned(), |live| grouped(of(live)));
        // before booking has reported its stock, nothing is known of it
        let stocked = live.filter(|live| live.capacity > 0);
        let stock = |of: fn(&Live) -> u64| stocked.map_or(UNKNOWN.to_owned(), |live| grouped(of(live)));
        let came = live.map_or((0, 0), |live| (live.no_shows, live.no_shows + live.shows));
        let estimates = live.map(|live| live.estimates).unwrap_or_default();
        let judged = estimates.early + estimates.right + estimates.late;
        let share = |fans: u64| format!("{} %", (fans * 200 + judged).checked_div(2 * judged).unwrap_or_default());
        Self {
            waiting: figure(|live| live.waiting + live.lobby),
            called: figure(|live| live.called),
            claims: figure(|live| live.claims),
            granted: figure(|live| live.granted),
            active: figure(|live| live.active),
            capacity: stock(|live| live.capacity),
            held: stock(|live| live.held),
            sold: stock(|live| live.sold),
            no_show: (came.0 * 100).checked_div(came.1).map_or(UNKNOWN.to_owned(), |share| format!("{share} %")),
            lobby: figure(|live| live.lobby),
            judged: grouped(judged),
            early: share(estimates.early),
            right: share(estimates.right),
            late: share(estimates.late),
        }
    }
}

/// A moment for a `<time>`: what machines read, and what people read until a script says it in their own time.
pub(super) struct Moment {
    pub(super) machine: String,
    pub(super) people: String,
}

pub(super) fn moment(at: Timestamp) -> Moment {
    let utc = at.to_zoned(TimeZone::UTC);
    Moment {
        machine: utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        people: utc.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
    }
}

/// A line of the audit as a person says it.
pub(super) struct Told {
    pub(super) at: Moment,
    pub(super) who: String,
    pub(super) subject: String,
    /// The subject is a drop, with a page of its own.
    pub(super) is_drop: bool,
    pub(super) what: String,
}

pub(super) fn tell(entry: audit::Entry) -> Told {
    let what = what(&entry.action, &entry.subject, &entry.detail);
    let who = match entry.actor.strip_prefix("operator:") {
        Some(email) => email.to_owned(),
        None if entry.actor == "cli" => "command line".to_owned(),
        None => entry.actor,
    };
    let is_drop = entry.action.starts_with("drop.");
    Told { at: moment(entry.at), who, subject: entry.subject, is_drop, what }
}

fn what(action: &str, subject: &str, detail: &Value) -> String {
    let text = |key: &str| detail[key].as_str().unwrap_or_default();
    match action {
        // without a title it takes its event's name
        "drop.create" if detail["settings"]["title"] == "" => {
            let mut named = detail["settings"].clone();
            named["title"].take();
            format!("made it: {}", settings(&named))
        }
        "drop.create" => format!("made it: {}", settings(&detail["settings"])),
        "drop.set" => settings(detail),
        "drop.open" => "opened it".to_owned(),
        "drop.pause" => format!("paused it: “{}”", text("reason")),
        "drop.resume" => "resumed it".to_owned(),
        "drop.end" => "ended it".to_owned(),
        "drop.notice_withdrawn" => "took the notice back".to_owned(),
        "drop.logo" if detail["logo"].is_null() => "took the logo away".to_owned(),
        "drop.logo" => format!("changed the logo: {}", text("logo")),
        "drop.notice" => format!("told fans: “{}”", text("text")),
        "operator.add" => format!("added the operator {subject}"),
        other => other.to_owned(),
    }
}

/// Every setting that is named, what matters most first.
fn settings(detail: &Value) -> String {
    const ORDER: [&str; 11] = [
        "title",
        "rate_per_minute",
        "opens_at",
        "max_active",
        "claim_window_s",
        "grace_s",
        "session_s",
        "max_per_fan",
        "join_requires",
        "draw_source",
        "brand",
    ];
    let said: Vec<String> =
        ORDER.iter().filter_map(|field| Some((field, detail.get(field)?))).filter_map(setting).collect();
    if said.is_empty() { "changed nothing".to_owned() } else { said.join(", ") }
}

fn setting((field, value): (&&str, &Value)) -> Option<String> {
    let number = || grouped(value.as_u64().unwrap_or_default());
    let text = value.as_str().unwrap_or_default();
    Some(match *field {
        "title" if value.is_null() => return None,
        "title" if text.is_empty() => "no title but its id".to_owned(),
        "title" => format!("title “{text}”"),
        "rate_per_minute" => format!("rate {} a minute", number()),
        "opens_at" if text.is_empty() => "opens by hand".to_owned(),
        "opens_at" => format!("opens at {text}"),
        "max_active" => format!("at most {} inside", number()),
        "claim_window_s" => format!("{} s to claim", number()),
        "grace_s" => format!("{} s of grace", number()),
        "session_s" => format!("{} s to shop", number()),
        "max_per_fan" => format!("{} tickets a fan", number()),
        "join_requires" if text == "account" => "joining needs an account".to_owned(),
        "join_requires" => "anybody may join".to_owned(),
        "draw_source" if text == "beacon" => "draw by the public beacon".to_owned(),
        "draw_source" => "draw by our secret".to_owned(),
        "brand" => brand(value)?,
        _ => return None,
    })
}

fn brand(value: &Value) -> Option<String> {
    let said = |(field, words): (&str, &str)| match value.get(field)? {
        Value::String(text) if !text.trim().is_empty() => Some(format!("{words} “{text}”")),
        _ => Some(format!("no {words}")),
    };
    let said: Vec<_> = [("name", "brand"), ("accent", "colour")].into_iter().filter_map(said).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_explained() {
        assert_eq!(pace(2_000), "33 a second");
        assert_eq!(pace(90), "1.5 a second");
        assert_eq!(pace(60), "1 a second");
        assert_eq!(pace(10), "1 every 6 seconds");
    }

    #[test]
    fn the_audit_speaks() {
        let set = json!({ "rate_per_minute": 2_000, "opens_at": null });
        assert_eq!(what("drop.set", "x", &set), "rate 2,000 a minute, opens by hand");
        assert_eq!(what("drop.set", "x", &json!({ "title": "" })), "no title but its id");
        assert_eq!(what("drop.pause", "x", &json!({ "reason": "Fire" })), "paused it: “Fire”");
        let made = json!({ "settings": { "title": "", "rate_per_minute": 60 } });
        assert_eq!(what("drop.create", "x", &made), "made it: rate 60 a minute");
        assert_eq!(what("drop.novelty", "x", &json!({})), "drop.novelty");
    }
}
