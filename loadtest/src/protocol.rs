//! What goes over the wire, as a client that trusts nothing reads it: every member may be absent,
//! and unknown ones are skipped.

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// The states of a place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Lobby,
    Drawing,
    Waiting,
    Called,
    Admitted,
    Finished,
    Left,
    Lapsed,
    Paused,
    Restoring,
    SoldOut,
    Ended,
    #[serde(other)]
    Unknown,
}

/// The answer of join, status and claim, and the data of the stream's events.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Document {
    pub place: Option<String>,
    pub pass: Option<String>,
    pub state: Option<State>,
    pub position: Option<u64>,
    pub order_key: Option<i64>,
    pub claim_deadline: Option<Timestamp>,
    pub admission: Option<Admission>,
    pub reason: Option<String>,
    /// Of a `bye`.
    pub retry_after_s: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Admission {
    pub token: String,
    /// Microseconds on Redis's clock.
    pub admitted_at: i64,
}

/// The id of a stream's event: `<epoch>.<tick>.<shown>`.
pub(crate) fn epoch_of(id: &str) -> Option<u64> {
    id.split('.').next()?.parse().ok()
}

/// The public totals of a drop.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Pulse {
    pub state: Option<String>,
    #[serde(default)]
    pub lobby: u64,
    #[serde(default)]
    pub waiting: u64,
    #[serde(default)]
    pub called: u64,
    #[serde(default)]
    pub granted: u64,
    #[serde(default)]
    pub active: u64,
    #[serde(default)]
    pub sold_out: bool,
    #[serde(default)]
    pub events: Vec<Uuid>,
    pub rate_per_minute: Option<u32>,
}

/// An RFC 9457 problem.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub detail: Option<String>,
    pub booking_id: Option<Uuid>,
}

impl Problem {
    /// The last part of the type: `sold-out`.
    pub(crate) fn slug(&self) -> &str {
        self.kind.as_deref().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NewSession {
    pub token: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Money {
    pub amount: i64,
    pub currency: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HeldTicket {
    pub seat: String,
}

/// The answer of checkout, and of looking at a booking.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BookingAnswer {
    pub booking_id: Uuid,
    pub status: String,
    pub tickets: Vec<HeldTicket>,
    pub total: Money,
}

/// The answer of confirm, and the little of a booking that waiting for it needs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BookingStatus {
    pub status: String,
}

/// The seats of an event just now.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    /// The path of the immutable layout.
    pub layout: String,
    /// Base64, 2 bits a seat in the layout's order, lowest bits first.
    pub statuses: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Layout {
    pub seats: Vec<LayoutSeat>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LayoutSeat {
    pub seat: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_whatever_is_absent_or_new() {
        let text = r#"{"drop":"d","place":"p","state":"called","position":null,"order_key":1795233600000000,
            "claim_deadline":"2026-11-22T20:00:00.5Z","admission":{"token":"t","expires_at":"2026-11-22T20:15:00Z",
            "admitted_at":1795233600000001},"events":["e"],"novelty":[1],"poll_after_s":2}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert_eq!(document.state, Some(State::Called));
        assert_eq!(document.position, None);
        assert_eq!(document.admission.unwrap().admitted_at, 1_795_233_600_000_001);
        let strange: Document = serde_json::from_str(r#"{"state":"levitating"}"#).unwrap();
        assert_eq!(strange.state, Some(State::Unknown));
    }

    #[test]
    fn ids_and_slugs() {
        assert_eq!(epoch_of("3.17.40"), Some(3));
        assert_eq!(epoch_of(""), None);
        let problem: Problem = serde_json::from_str(r#"{"type":"/problems/sold-out"}"#).unwrap();
        assert_eq!(problem.slug(), "sold-out");
        assert_eq!(Problem::default().slug(), "");
    }
}
