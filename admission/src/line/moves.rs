//! Places on the move: a short-lived code takes one to another device, and with it every right to it. Who
//! asks is told of a place only what they have of it: [`PlaceState::Moved`] once it is somebody else's.

use std::fmt::Write as _;

use redis::Value;
use shared::encoding::{base64url, from_base64url_exact};

use crate::{
    code::Code,
    ids::{DropId, Place},
};

use super::{DropState, Joined, Line, LineError, Newcomer, PlaceState, answer, scripts};

/// Who asks for a place, and by what right.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// The place of their own turn; another device's may have been moved to it.
    pub own: Place,
    /// SHA-256 of their visitor secret.
    pub visitor_hash: [u8; 32],
}

/// What somebody has in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Their own, or the one moved to it.
    pub place: Place,
    /// How often it was moved; nothing may be done to it by who knows a lower number.
    pub generation: u32,
    /// Whether a mail is to be sent when it is called.
    pub mail: bool,
}

/// How asking for a code went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    /// Good until then, in microseconds on Redis's clock.
    Until(u64),
    /// Another place has just this code: ask with another one.
    Clash,
    /// The place is somebody else's by now, has ended, or never was.
    Gone,
    /// Claimed or admitted: it stays with its device.
    Inside,
    /// Moved as often as a place may be.
    TooOften,
    /// As many codes live as a drop may have.
    Full,
}

/// How handing a code in went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The place is the asker's now.
    Moved(Held, PlaceState),
    /// No such code, or it has been used, has run out, or its place has moved on or ended.
    Unknown,
    /// Claimed in the meantime: it stays with its device.
    Inside,
    /// The place was taken by another account.
    AnotherAccount,
    /// The asker has a live place of their own in the drop.
    Occupied,
    /// The asker's place of this turn has ended: it is to be given up first.
    Ended(Place),
    /// The asker's turn is over: hand the code in with the next one.
    NextTurn,
}

impl Asker {
    fn holds(&self, answer: &Answer) -> bool {
        match answer.holder {
            Some(holder) => holder == self.visitor_hash,
            None => answer.held.place == self.own,
        }
    }
}

/// A place as a script described it.
pub(super) struct Answer {
    pub(super) held: Held,
    /// Whose it is since it was moved.
    holder: Option<[u8; 32]>,
    pub(super) state: PlaceState,
}

/// Fields of a description that says nothing of moves and mails.
const PLAIN: usize = 7;

impl Answer {
    /// `describe()`, and after it, where there is anything to tell: place, generation, holder, mail (`tell` in
    /// prelude.lua).
    pub(super) fn of(asked: Place, fields: &[&str]) -> Result<Self, LineError> {
        let (plain, told) = fields.split_at_checked(PLAIN).ok_or(LineError::Shape("place"))?;
        let state = answer::place_state(plain)?;
        let &[place, generation, holder, mail] = told else {
            let held = Held { place: asked, generation: 0, mail: false };
            return if told.is_empty() {
                Ok(Self { held, holder: None, state })
            } else {
                Err(LineError::Shape("held"))
            };
        };
        let held = Held {
            place: Place::parse(place).ok_or(LineError::Shape("held place"))?,
            generation: generation.parse().map_err(|_| LineError::Shape("generation"))?,
            mail: mail == "1",
        };
        let holder = match holder {
            "" => None,
            text => Some(from_base64url_exact(text).ok_or(LineError::Shape("holder"))?),
        };
        Ok(Self { held, holder, state })
    }

    /// As this asker may know it. Who does not hold the place (any more) is not told its generation: with it one
    /// could claim.
    pub(super) fn for_asker(&self, asker: &Asker) -> (Held, PlaceState) {
        match asker.holds(self) {
            true => (self.held, self.state),
            false => (Held { generation: 0, mail: false, ..self.held }, PlaceState::Moved),
        }
    }

    fn joined(&self, who: &Newcomer, joined: impl FnOnce(PlaceState) -> Joined) -> Result<(Held, Joined), LineError> {
        let (held, state) = self.for_asker(&who.asker());
        Ok((held, joined(state)))
    }
}

impl Newcomer {
    fn asker(&self) -> Asker {
        Asker { own: self.place, visitor_hash: self.visitor_hash }
    }

    /// What the script reads of who comes: the visitor hash, and with the pass of a moved place
    /// `:place:generation` after it.
    pub(super) fn visitor(&self) -> String {
        let mut visitor = base64url(&self.visitor_hash);
        if let Some(receipt) = self.receipt.filter(|receipt| receipt.generation > 0) {
            let _infallible = write!(visitor, ":{}:{}", receipt.place, receipt.generation);
        }
        visitor
    }
}

/// How a join went, and what the newcomer has by it.
pub(super) fn joined(who: &Newcomer, fields: &[&str]) -> Result<(Held, Joined), LineError> {
    let nothing = Held { place: who.place, generation: 0, mail: false };
    let (word, rest) = fields.split_first().ok_or(LineError::Shape("join"))?;
    match (*word, rest) {
        ("bound", []) => Ok((nothing, Joined::AccountBound)),
        ("over", []) => Ok((nothing, Joined::Over)),
        ("new", rest) => Answer::of(who.place, rest)?.joined(who, Joined::New),
        ("known", rest) => Answer::of(who.place, rest)?.joined(who, Joined::Known),
        _ => Err(LineError::Shape("join")),
    }
}

impl Line {
    /// Takes the admission of a called place, or queues the claim for the bucket. Changes nothing once the
    /// place has moved on from the generation of `held`.
    pub async fn claim_held(
        &self,
        drop: &DropId,
        held: &Held,
        asker: &Asker,
    ) -> Result<(DropState, Held, PlaceState), LineError> {
        let (state, answer) = self.claim_at(drop, held.place, held.generation).await?;
        let (held, place) = answer.for_asker(asker);
        Ok((state, held, place))
    }

    pub(super) async fn claim_at(
        &self,
        drop: &DropId,
        place: Place,
        generation: u32,
    ) -> Result<(DropState, Answer), LineError> {
        let (state, mut parts) = self
            .run(&scripts::CLAIM, drop, |call| {
                call.arg(place.to_string()).arg(generation);
            })
            .await?;
        let fields = answer::next::<Vec<String>>(&mut parts, "place")?;
        Ok((state, Answer::of(place, &answer::texts(&fields))?))
    }

    /// Ends a place as its fan wishes, unless it has moved on from the generation of `held`.
    pub async fn leave(&self, drop: &DropId, held: &Held) -> Result<(), LineError> {
        self.run(&scripts::END_PLACE, drop, |call| {
            call.arg(held.place.to_string()).arg(super::EndReason::Left.as_str()).arg(0).arg(held.generation);
        })
        .await
        .map(|_| ())
    }

    /// Makes `code` the one code that moves the place of `held`, for as long as codes live; the one before is void.
    /// `account` is what the fan is signed in to where the drop asks for that: only it may hand the code in.
    pub async fn issue_code(
        &self,
        drop: &DropId,
        held: &Held,
        code: &Code,
        account: Option<&str>,
    ) -> Result<(DropState, Issued), LineError> {
        let (state, mut parts) = self
            .run(&scripts::MOVE, drop, |call| {
                call.arg("issue").arg(code.as_str()).arg(account.unwrap_or_default());
                call.arg(held.place.to_string()).arg(held.generation);
            })
            .await?;
        let (word, rest) = word(&mut parts)?;
        let issued = match (word.as_str(), rest.as_slice()) {
            ("until", [until]) => Issued::Until(until.parse().map_err(|_| LineError::Shape("until"))?),
            ("clash", []) => Issued::Clash,
            ("gone", []) => Issued::Gone,
            ("inside", []) => Issued::Inside,
            ("often", []) => Issued::TooOften,
            ("full", []) => Issued::Full,
            _ => return Err(LineError::Shape("issue")),
        };
        Ok((state, issued))
    }

    /// Moves the place of `code` to the asker, whose own place must be free.
    pub async fn redeem_code(
        &self,
        drop: &DropId,
        code: &Code,
        asker: &Asker,
        account: Option<&str>,
    ) -> Result<(DropState, Redeemed), LineError> {
        let (state, mut parts) = self
            .run(&scripts::MOVE, drop, |call| {
                call.arg("redeem").arg(code.as_str()).arg(account.unwrap_or_default());
                call.arg(asker.own.to_string()).arg(base64url(&asker.visitor_hash));
            })
            .await?;
        let (word, rest) = word(&mut parts)?;
        let redeemed = match word.as_str() {
            "moved" => {
                let (held, place) = Answer::of(asker.own, &answer::texts(&rest))?.for_asker(asker);
                Redeemed::Moved(held, place)
            }
            "unknown" => Redeemed::Unknown,
            "inside" => Redeemed::Inside,
            "account" => Redeemed::AnotherAccount,
            "occupied" => Redeemed::Occupied,
            "ended" => Redeemed::Ended(place_in(&rest)?),
            "next" => Redeemed::NextTurn,
            _ => return Err(LineError::Shape("redeem")),
        };
        Ok((state, redeemed))
    }
}

/// A place moved, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub place: Place,
    /// Which move of this place it was, from 1.
    pub generation: u32,
    /// The place of the new holder's own turn.
    pub own: Place,
    /// SHA-256 of the new holder's visitor secret.
    pub visitor_hash: [u8; 32],
}

impl Line {
    /// The moves that are still to be written down, oldest first, at most 1,000; with the epoch and the number of
    /// the last, for [`Line::moves_written`].
    pub async fn unwritten_moves(&self, drop: &DropId) -> Result<(u64, u64, Vec<Move>), LineError> {
        let (state, mut parts) = self
            .run(&scripts::KEEP_MOVES, drop, |call| {
                call.arg("read");
            })
            .await?;
        let flat: Vec<String> = answer::next(&mut parts, "moves")?;
        let (numbered, _) = flat.as_chunks::<2>();
        let mut last = 0;
        let mut moves = Vec::new();
        for [number, packed] in numbered {
            last = number.parse().map_err(|_| LineError::Shape("number of a move"))?;
            // another process has written it down and forgotten it
            if !packed.is_empty() {
                moves.push(unpacked(packed).ok_or(LineError::Shape("move"))?);
            }
        }
        Ok((state.epoch, last, moves))
    }

    /// Those up to `last` of `epoch` are in Postgres.
    pub async fn moves_written(&self, drop: &DropId, epoch: u64, last: u64) -> Result<(), LineError> {
        self.run(&scripts::KEEP_MOVES, drop, |call| {
            call.arg("written").arg(epoch).arg(last);
        })
        .await
        .map(|_| ())
    }

    /// Tells the line of moves it may have forgotten, while the control may be missing.
    pub async fn restore_moves(&self, drop: &DropId, moves: &[Move]) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::KEEP_MOVES, drop);
        call.arg("restore");
        for one in moves {
            call.arg(one.place.to_string()).arg(one.generation);
            call.arg(one.own.to_string()).arg(base64url(&one.visitor_hash));
        }
        let _: Value = call.invoke_async(&mut self.redis.clone()).await?;
        Ok(())
    }
}

fn unpacked(packed: &str) -> Option<Move> {
    let [place, generation, own, visitor] = packed.split(':').collect::<Vec<_>>().try_into().ok()?;
    Some(Move {
        place: Place::parse(place)?,
        generation: generation.parse().ok()?,
        own: Place::parse(own)?,
        visitor_hash: from_base64url_exact(visitor)?,
    })
}

fn place_in(fields: &[String]) -> Result<Place, LineError> {
    fields.first().and_then(|text| Place::parse(text)).ok_or(LineError::Shape("place"))
}

/// A word and what it needs, as a script answers it after the header.
pub(super) fn word(parts: &mut impl Iterator<Item = Value>) -> Result<(String, Vec<String>), LineError> {
    let fields = answer::next::<Vec<String>>(parts, "word")?;
    let (word, rest) = fields.split_first().ok_or(LineError::Shape("word"))?;
    Ok((word.clone(), rest.to_vec()))
}
