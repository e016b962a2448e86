//! What people type into the forms, and why a form is not obeyed.

use axum::http::StatusCode;
use jiff::{Timestamp, civil, tz::TimeZone};
use shared::problem::Problem;

use super::words::grouped;
use crate::{
    drops::{DropError, SettingsError},
    error::Error,
};

/// Why a form was not obeyed, shown at its control.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) control: String,
    pub(super) words: String,
    /// The rate that is set when the same form comes back with a second word.
    pub(super) leap: Option<i32>,
}

/// Why a form is not obeyed.
pub(super) enum Refusal {
    /// A field says nothing that could be done.
    Field(String),
    /// It was meant for something that is otherwise by now.
    Stale(String),
    /// The rate would be so many times the present one.
    Leap {
        rate: i32,
        times: i32,
    },
    Drop(DropError),
}

impl From<DropError> for Refusal {
    fn from(error: DropError) -> Self {
        Self::Drop(error)
    }
}

/// A whole number as people type it.
pub(super) fn number(text: &str, name: &str) -> Result<i32, Refusal> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    digits.parse().map_err(|_| Refusal::Field(format!("{name} is a whole number, say 1200.")))
}

/// A moment as `datetime-local` has it, in UTC; nothing typed is no moment.
pub(super) fn time(text: &str) -> Result<Option<Timestamp>, Refusal> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let time = text.trim().parse::<civil::DateTime>().ok().and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let refused = || Refusal::Field("The opening is a date and a time in UTC: 2035-03-12T19:00".to_owned());
    time.map(|time| Some(time.timestamp())).ok_or_else(refused)
}

/// The same moment for the field, to the minute.
pub(super) fn local(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// What the page calls a setting.
pub(super) fn label(field: &str) -> &'static str {
    match field {
        "rate_per_minute" => "The rate",
        "max_active" => "How many may be inside",
        "claim_window_s" => "The time to claim",
        "grace_s" => "The time of grace",
        "session_s" => "The time to shop",
        "max_per_fan" => "Tickets a fan",
        _ => "The value",
    }
}

impl Refusal {
    /// For the page; what no form can mend is a problem of its own.
    pub(super) fn told(self, control: &str) -> Result<Refused, Problem> {
        let mut leap = None;
        let (status, words) = match self {
            Self::Field(words) => (StatusCode::UNPROCESSABLE_ENTITY, words),
            Self::Stale(words) => (StatusCode::CONFLICT, words),
            Self::Leap { rate, times } => {
                leap = Some(rate);
                let words = format!("Nothing was set. That is {} times the present rate; is it meant?", grouped(times));
                (StatusCode::UNPROCESSABLE_ENTITY, words)
            }
            Self::Drop(DropError::Settings(SettingsError::Bounds { field, least, most })) => {
                let words = format!("{} is between {} and {}.", label(field), grouped(least), grouped(most));
                (StatusCode::UNPROCESSABLE_ENTITY, words)
            }
            Self::Drop(DropError::Line(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a notice may not have been told");
                let words = "The line did not answer, so nobody knows whether fans read it. Send it again in a moment.";
                (StatusCode::SERVICE_UNAVAILABLE, words.to_owned())
            }
            Self::Drop(error) => {
                let words = sentence(&error.to_string());
                let problem = Problem::from(Error::from(error));
                match problem.status() {
                    StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => (problem.status(), words),
                    _ => return Err(problem),
                }
            }
        };
        Ok(Refused { status, control: control.to_owned(), words, leap })
    }
}

/// With a capital and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| format!("{}{}.", first.to_uppercase(), rest.as_str())).unwrap_or_default()
}
