//! The document a fan reads: where they stand, and what to do next.

use admission::{
    chance::{Chance, chance},
    estimate::{Estimate, Speed, estimate},
    ids::{DropId, OrderKey, Place, VisitorSecret},
    line::{Counts, DropState, EndReason, PlaceState},
    pass::{Pass, Passes},
    token::{Grant, Signer},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{error::Error, fan::Fan, routes::draw::Receipt};

/// What join, status and claim answer; absent things are null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Document {
    pub(crate) drop: DropId,
    pub(crate) place: Place,
    pub(crate) pass: String,
    pub(crate) visitor: String,
    /// lobby, drawing, waiting, called, admitted, finished, left, lapsed, paused, restoring, sold_out or ended.
    pub(crate) state: &'static str,
    /// 1 is next.
    #[schema(required)]
    pub(crate) position: Option<u64>,
    #[schema(required)]
    pub(crate) ahead: Option<u64>,
    #[schema(required)]
    pub(crate) order_key: Option<OrderKey>,
    #[schema(required)]
    pub(crate) estimate: Option<Estimate>,
    /// Whether it is the fan's turn and they are not in yet; also while the whole drop stands still.
    pub(crate) called: bool,
    /// Until when a claim counts: for a turn that lapsed, to the end of the grace time.
    #[schema(required)]
    pub(crate) claim_deadline: Option<Timestamp>,
    #[schema(required)]
    pub(crate) admission: Option<AdmissionPart>,
    /// When the drop opens, or did.
    #[schema(required)]
    pub(crate) opens_at: Option<Timestamp>,
    /// Tickets nobody holds or owns; null until booking has reported.
    #[schema(required)]
    pub(crate) left: Option<u64>,
    /// Of a ticket, for who waits; null where there is nothing to say.
    #[schema(required)]
    pub(crate) chance: Option<Chance>,
    /// Whether a mail will be sent when it is the fan's turn.
    pub(crate) mail: bool,
    /// What the place has to do with the draw, on join and status; null on the stream, and for who came after it.
    #[schema(required)]
    pub(crate) draw: Option<Receipt>,
    /// Where the live stream is.
    pub(crate) events: String,
    /// For clients without the stream: when to ask again.
    pub(crate) poll_after_s: u64,
    #[schema(required)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Admission)]
pub(crate) struct AdmissionPart {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
    /// Microseconds on Redis's clock.
    pub(crate) admitted_at: u64,
}

/// An epoch no line reaches, so that no place is brought back by its pass.
const NEVER_LOST: u64 = u64::MAX;

/// What stands behind a document.
pub(crate) struct View<'a> {
    pub(crate) fan: &'a Fan,
    pub(crate) drop: &'a DropState,
    pub(crate) place: &'a PlaceState,
    /// How many stand before, for a waiting fan, as it may be shown.
    pub(crate) ahead: Option<u64>,
    /// How fast the line moves.
    pub(crate) speed: Speed,
    pub(crate) counts: &'a Counts,
}

impl View<'_> {
    pub(crate) fn document(&self, passes: &Passes, signer: &Signer) -> Result<Document, Error> {
        let (state, reason) = state(self.drop, self.place);
        // while fans come back after a loss, whoever is first would be shown a place in front that is not theirs
        let ahead = self.ahead.filter(|_| !self.drop.regathering());
        let Fan { drop, visitor, place, .. } = self.fan;
        Ok(Document {
            drop: drop.clone(),
            place: *place,
            pass: passes.issue(&self.pass()),
            visitor: visitor.expose(),
            state,
            position: ahead.map(|ahead| ahead + 1),
            ahead,
            order_key: self.place.key(),
            estimate: ahead
                .filter(|_| state == "waiting")
                .and_then(|ahead| estimate(ahead, self.speed, self.drop.rate_per_minute)),
            called: matches!(
                self.place,
                PlaceState::Called { .. } | PlaceState::Lapsed { .. } | PlaceState::Claiming { .. }
            ),
            claim_deadline: match self.place {
                PlaceState::Called { deadline, .. } => Some(timestamp(*deadline)?),
                PlaceState::Lapsed { deadline, .. } => {
                    Some(timestamp(deadline.saturating_add(self.drop.grace_s.saturating_mul(1_000_000)))?)
                }
                _ => None,
            },
            admission: self.admission(signer, visitor)?,
            opens_at: self.drop.opens_at.map(timestamp).transpose()?,
            left: self.counts.left(),
            chance: ahead.and_then(|ahead| chance(self.counts, ahead)),
            mail: self.fan.mail,
            draw: None,
            events: format!("/queue/{drop}/events"),
            poll_after_s: poll_after_s(state, ahead),
            reason,
        })
    }

    fn pass(&self) -> Pass {
        let Fan { drop, visitor, own, place, generation, .. } = self.fan;
        let moved = *self.place == PlaceState::Moved;
        Pass {
            drop: drop.clone(),
            // nothing comes back by the pass of a place that is on another device
            place: if moved { *own } else { *place },
            key: self.place.key(),
            epoch: if moved { NEVER_LOST } else { self.drop.epoch },
            generation: *generation,
            visitor_hash: visitor.hash(),
        }
    }

    fn admission(&self, signer: &Signer, visitor: &VisitorSecret) -> Result<Option<AdmissionPart>, Error> {
        let PlaceState::Admitted { granted_at, session_ends, .. } = *self.place else {
            return Ok(None);
        };
        let grant = Grant {
            drop: &self.fan.drop,
            place: self.fan.place,
            jti: self.fan.place.jti(&self.fan.drop),
            admitted_at: timestamp(granted_at)?,
            expires_at: timestamp(session_ends)?,
            visitor_hash: visitor.hash(),
        };
        let token = signer.sign(&grant).map_err(Error::Signing)?;
        Ok(Some(AdmissionPart { token, expires_at: grant.expires_at, admitted_at: granted_at }))
    }
}

/// The one word for a fan's state, and why. What concerns the whole drop comes before what concerns
/// the place, but for who is inside or done already.
pub(crate) fn state(drop: &DropState, place: &PlaceState) -> (&'static str, Option<String>) {
    let because = |word: &str| Some(word.to_owned());
    match place {
        PlaceState::Admitted { .. } => return ("admitted", None),
        PlaceState::Moved => return ("left", because("moved")),
        PlaceState::Ended { reason, .. } => {
            return match reason {
                EndReason::Finished => ("finished", None),
                EndReason::Left => ("left", None),
                EndReason::SessionOver => ("ended", because("session-over")),
                EndReason::Lapsed => ("ended", because("lapsed")),
            };
        }
        _ => {}
    }
    if drop.ended {
        return ("ended", because("drop-ended"));
    }
    if drop.sold_out {
        return ("sold_out", None);
    }
    if drop.paused_at.is_some() {
        return ("paused", Some(drop.pause_reason.clone()));
    }
    if drop.covered {
        return ("paused", because("covered"));
    }
    if drop.regathering() {
        return ("restoring", None);
    }
    match place {
        PlaceState::Lobby => ("lobby", None),
        PlaceState::Late { .. } => ("lobby", because("late")),
        PlaceState::Drawing => ("drawing", None),
        PlaceState::Called { .. } => ("called", None),
        PlaceState::Claiming { .. } => ("called", because("claim-waits")),
        PlaceState::Lapsed { .. } => ("lapsed", None),
        // lost with Redis, and not back yet: never "waiting" for somebody who is in no line
        PlaceState::Unknown => ("restoring", None),
        _ => ("waiting", None),
    }
}

fn poll_after_s(state: &str, ahead: Option<u64>) -> u64 {
    match state {
        "called" | "drawing" => 1,
        "waiting" => 2 + ahead.unwrap_or(0).min(1_600) / 200,
        "lobby" | "paused" | "restoring" | "lapsed" => 5,
        _ => 30,
    }
}

/// Microseconds on Redis's clock as a time.
pub(crate) fn timestamp(micros: u64) -> Result<Timestamp, Error> {
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).map_err(|error| Error::Signing(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_state_comes_before_the_places_but_not_for_who_is_inside() {
        let waiting = PlaceState::Waiting { key: OrderKey(5), rank: 3 };
        let admitted = PlaceState::Admitted { key: OrderKey(5), granted_at: 1, session_ends: 2 };
        let running = DropState { epoch: 1, now: 10, opens_at: Some(1), ..DropState::default() };
        let paused = DropState { paused_at: Some(4), pause_reason: "a minute".into(), ..running.clone() };
        let sold_out = DropState { sold_out: true, ..paused.clone() };
        let ended = DropState { ended: true, ..sold_out.clone() };
        assert_eq!(state(&running, &waiting).0, "waiting");
        assert_eq!(state(&paused, &waiting), ("paused", Some("a minute".into())));
        assert_eq!(state(&sold_out, &waiting).0, "sold_out");
        assert_eq!(state(&ended, &waiting).0, "ended");
        for drop in [&running, &paused, &sold_out, &ended] {
            assert_eq!(state(drop, &admitted).0, "admitted");
        }
    }
}
