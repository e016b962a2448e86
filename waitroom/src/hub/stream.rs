//! What one fan was told, and what they are owed. There is no queue: what is owed is worked out when there is
//! room to say it, so a slow reader gets the newest.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use admission::{
    chance::{Chance, chance},
    estimate::{Estimate, Outcome, estimate},
    ids::{DropId, Place, VisitorSecret},
    line::{Asker, DropState, Held, PlaceState, Receipt},
    pass::Passes,
    position::never_rising,
    token::Signer,
};
use serde::Serialize;
use shared::sse;

use super::{
    Why,
    audience::Audience,
    frames::{Frame, Id, Kind, LAST_CHUNK},
    inbox::Asked,
    looks::Ask,
};
use crate::{
    crowd::Tick,
    document::{self, View},
    fan::Fan,
};

/// What documents are made with.
#[derive(Clone)]
pub(crate) struct Renderer {
    pub(crate) passes: Passes,
    pub(crate) signer: Signer,
}

/// A fan's stream, without the way its frames take.
pub(crate) struct Stream {
    visitor: VisitorSecret,
    /// The place of their own turn, and what they have by it.
    own: Place,
    held: Held,
    /// What is known of the place, and of which epoch.
    state: PlaceState,
    epoch: u64,
    /// The position shown last, from 1; 0 when none was.
    shown: u64,
    /// A digest of what was told with the position: estimate and the rate behind it, tickets left, chance.
    outlook_told: u64,
    /// Digests of what was told of the drop's own state, and of the notice.
    face_told: u64,
    notice_told: u64,
    /// The version of the drop's state that `face_told` was last compared with.
    face_version: u32,
    first_estimate: Option<First>,
    auto_claim: bool,
    owes: Owes,
    /// Nothing can be said before a look at the place has come back.
    awaits_look: bool,
    leaving: Option<Why>,
    /// The last word was said.
    done: bool,
}

#[derive(Default)]
struct Owes {
    /// Something happened to the place.
    place: bool,
    position: bool,
    heartbeat: bool,
}

/// The first interval shown, and when on Redis's clock, in seconds.
#[derive(Clone, Copy)]
struct First {
    p50_s: u32,
    p90_s: u32,
    at_s: u32,
}

/// What a look at the place brought.
pub(super) struct News {
    /// When on Redis's clock they were called, in microseconds, if it is new that they are.
    pub(super) called_at: Option<u64>,
    /// How the first interval turned out, said once.
    pub(super) outcome: Option<Outcome>,
    /// Nothing happened to the place.
    pub(super) same: bool,
}

#[derive(Serialize)]
struct Position {
    position: u64,
    ahead: u64,
    estimate: Option<Estimate>,
    left: Option<u64>,
    chance: Option<Chance>,
}

impl Stream {
    /// Begins with the whole document, put into `frame`.
    pub(crate) fn begin(
        fan: &Fan,
        (drop, place): (&DropState, PlaceState),
        tick: &Tick,
        (shown, auto_claim): (Option<u64>, bool),
        renderer: &Renderer,
        frame: &mut Frame,
    ) -> anyhow::Result<Self> {
        let mut stream = Self {
            visitor: fan.visitor.clone(),
            own: fan.own,
            held: fan.held(),
            state: place,
            epoch: drop.epoch,
            shown: shown.unwrap_or(0),
            outlook_told: 0,
            face_told: 0,
            notice_told: 0,
            face_version: 0,
            first_estimate: None,
            auto_claim,
            owes: Owes::default(),
            awaits_look: false,
            leaving: None,
            done: false,
        };
        stream.document(Kind::State, &fan.drop, drop, tick, renderer, frame)?;
        Ok(stream)
    }

    /// The place it listens for: none once it is on another device, whose fan it does not concern.
    pub(super) fn listens_for(&self) -> Option<Place> {
        (self.state != PlaceState::Moved).then_some(self.held.place)
    }

    /// The question how its place stands.
    pub(super) fn ask(&self, asked: Asked) -> Ask {
        let asker = Asker { own: self.own, visitor_hash: self.visitor.hash() };
        let Held { place, generation, .. } = self.held;
        let in_line = !matches!(self.state, PlaceState::Unknown | PlaceState::Ended { .. } | PlaceState::Moved);
        let receipt = Receipt { place, key: self.state.key(), epoch: self.epoch, generation };
        Ask { asked, asker, held: self.held, receipt: in_line.then_some(receipt) }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many stand before, as shown, for who stands in the line.
    pub(super) fn ahead(&self) -> Option<u64> {
        match self.state {
            PlaceState::Waiting { .. } => self.shown.checked_sub(1),
            _ => None,
        }
    }

    /// Whether its deadline moved on with a pause that ended.
    pub(super) fn has_deadline(&self) -> bool {
        matches!(self.state, PlaceState::Called { .. } | PlaceState::Admitted { .. } | PlaceState::Lapsed { .. })
    }

    pub(super) fn wants_claim(&self, drop: &DropState) -> bool {
        self.auto_claim && !drop.ended && matches!(self.state, PlaceState::Called { .. } | PlaceState::Lapsed { .. })
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, PlaceState::Waiting { .. })
    }

    /// Says nothing until a look has come back.
    pub(super) fn await_look(&mut self) {
        self.awaits_look = true;
    }

    /// The look failed; the last they were told stands.
    pub(super) fn unanswered(&mut self) {
        self.awaits_look = false;
    }

    pub(super) fn owe_position(&mut self) {
        self.owes.position = true;
    }

    pub(super) fn owe_heartbeat(&mut self) {
        self.owes.heartbeat = true;
    }

    /// The next frame is the last.
    pub(super) fn leave(&mut self, why: Why) {
        self.leaving = Some(why);
    }

    pub(super) fn leaving(&self) -> Option<Why> {
        self.leaving
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The place as it stands, or stood when it is to be looked at again.
    pub(super) fn looked(&mut self, drop: &DropState, (held, place): (Held, PlaceState), again: bool) -> News {
        self.awaits_look &= again;
        let place = match place {
            // Redis lost the word of it
            PlaceState::Unknown if self.state == PlaceState::Moved => PlaceState::Moved,
            place => place,
        };
        let mail_told = std::mem::replace(&mut self.held, held).mail;
        let before = std::mem::replace(&mut self.state, place);
        if drop.epoch != self.epoch {
            self.epoch = drop.epoch;
            self.shown = 0; // what was shown counts within its epoch
            self.owes.place = true;
        } else if !is_same(&before, &place) || mail_told != held.mail {
            self.owes.place = true;
        }
        if matches!(place, PlaceState::Ended { .. }) {
            self.shown = 0; // what was shown of this place says nothing of the next
        }
        let waited = matches!(before, PlaceState::Waiting { .. });
        let called =
            matches!(place, PlaceState::Called { .. } | PlaceState::Claiming { .. } | PlaceState::Admitted { .. });
        let called_at = match place {
            PlaceState::Called { deadline, .. } if waited => {
                deadline.checked_sub(drop.claim_window_s.saturating_mul(1_000_000))
            }
            _ => None,
        };
        let outcome = self.first_estimate.take_if(|_| waited && called).map(|first| first.outcome(drop.now));
        News { called_at, outcome, same: is_same(&before, &place) }
    }

    /// The next thing to say, put into `frame` unless it is the audience's notice; `None` when there is nothing.
    pub(super) fn next(&mut self, audience: &Audience, renderer: &Renderer, frame: &mut Frame) -> Option<Kind> {
        if let Some(why) = self.leaving {
            self.done = true;
            frame.text(&sse::bye_text(why.word(), why.return_after_s()));
            frame.end_with(LAST_CHUNK);
            return Some(Kind::Bye);
        }
        if self.awaits_look || self.epoch != audience.state.epoch {
            return self.heartbeat(frame); // no document may mix two epochs
        }
        let owes_place = std::mem::take(&mut self.owes.place);
        let same_drop = std::mem::replace(&mut self.face_version, audience.version) == audience.version;
        if owes_place || !same_drop && face(&audience.state, &self.state) != self.face_told {
            let kind = match self.state {
                PlaceState::Called { .. } if owes_place => Kind::Called,
                PlaceState::Admitted { .. } if owes_place => Kind::Admitted,
                _ => Kind::State,
            };
            match self.document(kind, &audience.drop, &audience.state, &audience.tick, renderer, frame) {
                Ok(()) => return Some(kind),
                Err(error) => {
                    let error = &*error as &dyn std::error::Error;
                    tracing::error!(error, drop = %audience.drop, "a fan's document");
                    self.face_told = face(&audience.state, &self.state); // not again before something changes
                }
            }
        }
        if let Some((digest, _)) = &audience.notice
            && *digest != self.notice_told
        {
            self.notice_told = *digest;
            return Some(Kind::Notice);
        }
        if std::mem::take(&mut self.owes.position) && self.position(audience, frame) {
            return Some(Kind::Position);
        }
        self.heartbeat(frame)
    }

    fn heartbeat(&mut self, frame: &mut Frame) -> Option<Kind> {
        std::mem::take(&mut self.owes.heartbeat).then(|| {
            // not a comment: a page does not hear those, and must tell a quiet stream from a dead one
            frame.text("event: beat\ndata: {}\n\n");
            Kind::Heartbeat
        })
    }

    /// Something was said, so there is no need of a sign of life.
    pub(super) fn said(&mut self) {
        self.owes.heartbeat = false;
    }

    /// The whole document under `kind`.
    fn document(
        &mut self,
        kind: Kind,
        drop_id: &DropId,
        drop: &DropState,
        tick: &Tick,
        renderer: &Renderer,
        frame: &mut Frame,
    ) -> anyhow::Result<()> {
        let ahead = match self.state {
            PlaceState::Waiting { key, rank } => {
                Some(never_rising(tick.ahead(key).unwrap_or(rank), self.shown.checked_sub(1)))
            }
            _ => None,
        };
        let fan = Fan::new(drop_id.clone(), self.visitor.clone(), self.own, self.held);
        let view = View { fan: &fan, drop, place: &self.state, ahead, speed: tick.speed, counts: &tick.counts };
        let document = view.document(&renderer.passes, &renderer.signer)?;
        self.face_told = face(drop, &self.state);
        self.outlook_told = outlook(drop.rate_per_minute, document.estimate, document.left, document.chance);
        self.shown = document.position.unwrap_or(self.shown);
        self.note_estimate(document.estimate, drop.now);
        frame.event(kind, Some(self.id(tick)), &document)?;
        Ok(())
    }

    /// The position, when it moved or what goes with it changed. Whether there is one to tell.
    fn position(&mut self, audience: &Audience, frame: &mut Frame) -> bool {
        let (PlaceState::Waiting { key, .. }, tick) = (self.state, &audience.tick) else { return false };
        let rate = audience.state.rate_per_minute;
        let Some(ahead) = tick.ahead(key) else { return false };
        let ahead = never_rising(ahead, self.shown.checked_sub(1));
        if document::state(&audience.state, &self.state).0 != "waiting" {
            return false;
        }
        let estimate = estimate(ahead, tick.speed, rate);
        let (left, chance) = (tick.counts.left(), chance(&tick.counts, ahead));
        let outlook = outlook(rate, estimate, left, chance);
        let same_outlook = std::mem::replace(&mut self.outlook_told, outlook) == outlook;
        if same_outlook && self.shown == ahead + 1 {
            return false;
        }
        self.shown = ahead + 1;
        self.note_estimate(estimate, audience.state.now);
        let position = Position { position: ahead + 1, ahead, estimate, left, chance };
        frame.event(Kind::Position, Some(self.id(tick)), &position).is_ok()
    }

    fn note_estimate(&mut self, estimate: Option<Estimate>, now_us: u64) {
        if let (None, Some(Estimate { p50_s, p90_s })) = (self.first_estimate, estimate) {
            let short = |seconds| u32::try_from(seconds).unwrap_or(u32::MAX);
            self.first_estimate =
                Some(First { p50_s: short(p50_s), p90_s: short(p90_s), at_s: short(now_us / 1_000_000) });
        }
    }

    fn id(&self, tick: &Tick) -> Id {
        Id { epoch: self.epoch, tick: tick.number, shown: self.shown }
    }
}

impl First {
    fn outcome(self, now_us: u64) -> Outcome {
        let shown = Estimate { p50_s: self.p50_s.into(), p90_s: self.p90_s.into() };
        shown.outcome((now_us / 1_000_000).saturating_sub(self.at_s.into()))
    }
}

/// Whether nothing happened to a place; that it moved up is told as its position.
fn is_same(before: &PlaceState, now: &PlaceState) -> bool {
    match (before, now) {
        (PlaceState::Waiting { key: before, .. }, PlaceState::Waiting { key: now, .. }) => before == now,
        _ => before == now,
    }
}

/// A digest of what a fan's document tells of the drop's own state: state, reason, opening.
fn face(drop: &DropState, place: &PlaceState) -> u64 {
    digest(&(document::state(drop, place), drop.opens_at))
}

fn outlook(rate: u64, estimate: Option<Estimate>, left: Option<u64>, chance: Option<Chance>) -> u64 {
    digest(&(rate, estimate.map(|estimate| (estimate.p50_s, estimate.p90_s)), left, chance.map(|chance| chance as u8)))
}

pub(super) fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
