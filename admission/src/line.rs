//! A drop's line in Redis: one typed function a script. Every step that matters is atomic there, so
//! any number of processes may call these at any time.

mod answer;
mod batch;
mod brand;
mod drawn;
mod kept;
mod keys;
mod logo;
mod mails;
mod moves;
mod scripts;

use std::sync::Arc;

use redis::{ScriptInvocation, Value};
use shared::{encoding::base64url, redis::Redis};

pub use answer::{Change, Counts, DropState, EndReason, Face, Joined, Notice, Outcomes, PlaceState, Released, Watched};
pub use batch::{BatchError, Batcher};
pub use drawn::ENTRANTS_MAX;
pub use kept::{KEPT_AT_ONCE, Marks, Recorded, Trace};
pub use mails::{Asked, Fate, Kept};
pub use moves::{Asker, Held, Issued, Move, Redeemed};

use moves::Answer;

use crate::{
    ids::{DropId, OrderKey, Place},
    pace::Level,
};

/// Why the line could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The drop's control is not in Redis: there is no such drop, or it is lost and being restored.
    #[error("the line is not there, or being restored")]
    Restoring,
    #[error("Redis did not answer")]
    Redis(#[from] redis::RedisError),
    #[error("Redis answered in a form nobody expected")]
    Value(#[from] redis::ParsingError),
    #[error("a script's answer lacks its {0}")]
    Shape(&'static str),
}

/// Who asks for a place.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The place of their own turn.
    pub place: Place,
    /// SHA-256 of their visitor secret: a place moved to them is theirs by it.
    pub visitor_hash: [u8; 32],
    /// What the fan still holds of an earlier join.
    pub receipt: Option<Receipt>,
    /// What stands for the fan's account where a drop asks for one.
    pub account: Option<String>,
}

/// What a pass says of a place, for when Redis has forgotten it.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// The place it is of: the fan's own, or one moved to them.
    pub place: Place,
    /// `None` when the place was in the lobby.
    pub key: Option<OrderKey>,
    pub epoch: u64,
    pub generation: u32,
}

/// What the operators decided last, as a whole. The higher version wins, whoever brings it and when.
#[derive(Debug, Clone)]
pub struct Order {
    pub version: u64,
    pub phase: Phase,
    /// Fields of the control with their values.
    pub settings: Vec<(&'static str, String)>,
}

/// Whether a drop goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Going,
    /// Nobody is called or admitted, and nothing lapses.
    Paused {
        reason: String,
    },
    /// For good; who is inside may finish.
    Ended,
}

/// Stock of a drop, in tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    pub capacity: u64,
    pub held: u64,
    pub sold: u64,
}

/// All lines, by drop.
#[derive(Clone)]
pub struct Line {
    redis: Redis,
    prefix: Arc<str>,
}

impl Line {
    pub fn new(redis: Redis) -> Self {
        let prefix = redis.prefix().into();
        Self { redis, prefix }
    }

    /// Joins in the order given; each is answered as its place stands, whether new or known.
    pub async fn join(&self, drop: &DropId, who: &[Newcomer]) -> Result<(DropState, Vec<Joined>), LineError> {
        let (state, joined) = self.join_held(drop, who).await?;
        Ok((state, joined.into_iter().map(|(_, joined)| joined).collect()))
    }

    /// As [`Line::join`], and what each has in the line: another device's place may have been moved to them.
    pub async fn join_held(
        &self,
        drop: &DropId,
        who: &[Newcomer],
    ) -> Result<(DropState, Vec<(Held, Joined)>), LineError> {
        self.join_or_put_back(drop, who, true).await
    }

    /// As [`Line::join_held`], but nobody gets a new place: what a fan's pass says is put back where Redis lost it,
    /// and who has nothing by it is told [`PlaceState::Unknown`].
    pub async fn put_back_held(
        &self,
        drop: &DropId,
        who: &[Newcomer],
    ) -> Result<(DropState, Vec<(Held, Joined)>), LineError> {
        self.join_or_put_back(drop, who, false).await
    }

    async fn join_or_put_back(
        &self,
        drop: &DropId,
        who: &[Newcomer],
        is_new_given: bool,
    ) -> Result<(DropState, Vec<(Held, Joined)>), LineError> {
        let (state, mut parts) = self
            .run(&scripts::JOIN, drop, |call| {
                for newcomer in who {
                    let key = newcomer.receipt.and_then(|receipt| receipt.key).map_or(0, |key| key.0);
                    let epoch = newcomer.receipt.map_or(0, |receipt| receipt.epoch);
                    call.arg(base64url(newcomer.place.as_bytes())).arg(key);
                    if is_new_given {
                        call.arg(epoch);
                    } else {
                        call.arg(format!("-{epoch}"));
                    }
                    call.arg(newcomer.account.as_deref().unwrap_or_default());
                    call.arg(newcomer.visitor());
                }
            })
            .await?;
        let texts: String = answer::next(&mut parts, "answers")?;
        let answers = answer::lines(&texts, who)?.map(|(who, text)| moves::joined(who, &answer::fields(text)));
        Ok((state, answers.collect::<Result<_, _>>()?))
    }

    /// What places are, whoever holds them; changes nothing.
    pub async fn look(&self, drop: &DropId, places: &[Place]) -> Result<(DropState, Vec<PlaceState>), LineError> {
        let (state, answers) = self.describe(drop, places).await?;
        Ok((state, answers.into_iter().map(|answer| answer.state).collect()))
    }

    /// What those who ask have in the line; changes nothing.
    pub async fn look_held(
        &self,
        drop: &DropId,
        askers: &[Asker],
    ) -> Result<(DropState, Vec<(Held, PlaceState)>), LineError> {
        let places: Vec<_> = askers.iter().map(|asker| asker.own).collect();
        let (state, answers) = self.describe(drop, &places).await?;
        Ok((state, askers.iter().zip(&answers).map(|(asker, answer)| answer.for_asker(asker)).collect()))
    }

    async fn describe(&self, drop: &DropId, places: &[Place]) -> Result<(DropState, Vec<Answer>), LineError> {
        let (state, mut parts) = self
            .run(&scripts::LOOK, drop, |call| {
                for place in places {
                    call.arg(place.to_string());
                }
            })
            .await?;
        let texts: String = answer::next(&mut parts, "answers")?;
        let answers = answer::lines(&texts, places)?.map(|(place, text)| Answer::of(*place, &answer::fields(text)));
        Ok((state, answers.collect::<Result<_, _>>()?))
    }

    /// [`Line::claim_held`] of a place that never moved.
    pub async fn claim(&self, drop: &DropId, place: Place) -> Result<(DropState, PlaceState), LineError> {
        let (state, answer) = self.claim_at(drop, place, 0).await?;
        Ok((state, answer.state))
    }

    /// Ends a place for good and frees its slot at once.
    pub async fn end_place(&self, drop: &DropId, place: Place, reason: EndReason) -> Result<(), LineError> {
        self.end(drop, place, reason, false).await.map(|_| ())
    }

    /// Ends a place so that the same visitor's next turn may take a new one at the end.
    pub async fn give_up(&self, drop: &DropId, place: Place) -> Result<(), LineError> {
        self.end(drop, place, EndReason::Left, true).await.map(|_| ())
    }

    async fn end(
        &self,
        drop: &DropId,
        place: Place,
        reason: EndReason,
        given_up: bool,
    ) -> Result<DropState, LineError> {
        let (state, _) = self
            .run(&scripts::END_PLACE, drop, |call| {
                call.arg(place.to_string()).arg(reason.as_str()).arg(u8::from(given_up));
            })
            .await?;
        Ok(state)
    }

    /// Whether a place has ended, and why.
    pub async fn ended(&self, drop: &DropId, place: Place) -> Result<Option<EndReason>, LineError> {
        match self.look(drop, &[place]).await?.1.first() {
            Some(PlaceState::Ended { reason, .. }) => Ok(Some(*reason)),
            _ => Ok(None),
        }
    }

    /// One step of the release loop.
    pub async fn release(&self, drop: &DropId, level: Level) -> Result<(DropState, Released), LineError> {
        let (state, parts) = self
            .run(&scripts::RELEASE, drop, |call| {
                call.arg(level.expected_claims).arg(level.reaction_us).arg(level.when_full);
            })
            .await?;
        let numbers = parts.map(redis::from_redis_value).collect::<Result<Vec<u64>, _>>()?;
        Ok((state, answer::released(&numbers)?))
    }

    /// What happened since `last_change` (`None`: from now on), with the totals; pivots on demand.
    pub async fn watch(
        &self,
        drop: &DropId,
        last_change: Option<&str>,
        pivots: bool,
    ) -> Result<(DropState, Watched), LineError> {
        let (state, mut parts) = self
            .run(&scripts::WATCH, drop, |call| {
                call.arg(last_change.unwrap_or("$")).arg(u8::from(pivots));
            })
            .await?;
        let watched = Watched {
            last_change: answer::next(&mut parts, "last change")?,
            changes: answer::changes(&answer::next::<Vec<String>>(&mut parts, "changes")?),
            counts: answer::counts(&answer::next::<Vec<u64>>(&mut parts, "counts")?)?,
            pivots: answer::pivots(&answer::next::<Vec<u64>>(&mut parts, "pivots")?),
            face: answer::face(&answer::next::<Vec<String>>(&mut parts, "face")?),
        };
        Ok((state, watched))
    }

    /// Makes the control when it is missing; leaves one that is there as it is.
    pub async fn create(&self, drop: &DropId, fields: &[(&str, String)]) -> Result<(), LineError> {
        self.control(drop, "create", fields).await
    }

    /// Obeys `order` unless a newer one came before; repeating it changes nothing.
    pub async fn apply(&self, drop: &DropId, order: &Order) -> Result<(), LineError> {
        let (phase, reason) = match &order.phase {
            Phase::Going => ("going", ""),
            Phase::Paused { reason } => ("paused", reason.as_str()),
            Phase::Ended => ("ended", ""),
        };
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("apply").arg(order.version).arg(phase).arg(reason);
        for (field, value) in &order.settings {
            call.arg(*field).arg(value);
        }
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// The operators' latest word to all fans.
    pub async fn notify(&self, drop: &DropId, notice: &Notice) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("notice").arg(serde_json::json!(notice).to_string());
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// What booking has left: the drop is sold out while `sold` covers the capacity.
    pub async fn report_stock(&self, drop: &DropId, stock: Stock) -> Result<(), LineError> {
        let fields = [
            ("capacity", stock.capacity.to_string()),
            ("held", stock.held.to_string()),
            ("sold", stock.sold.to_string()),
        ];
        self.control(drop, "stock", &fields).await
    }

    /// Adds to the report card of the estimates.
    pub async fn report_estimates(&self, drop: &DropId, noted: Outcomes) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("estimates").arg(noted.early).arg(noted.right).arg(noted.late);
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// Pauses a drop whose booking has been silent for longer than `silent_us`, and resumes it when
    /// booking reports again; what an operator paused stays paused.
    pub async fn watch_booking(&self, drop: &DropId, silent_us: u64, reason: &str) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("watchdog").arg(silent_us).arg(reason);
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    async fn control(&self, drop: &DropId, what: &str, fields: &[(&str, String)]) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg(what);
        for (field, value) in fields {
            call.arg(*field).arg(value);
        }
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    async fn run(
        &self,
        script: &'static redis::Script,
        drop: &DropId,
        arguments: impl FnOnce(&mut ScriptInvocation<'static>),
    ) -> Result<(DropState, std::vec::IntoIter<Value>), LineError> {
        let mut call = self.invocation(script, drop);
        arguments(&mut call);
        answer::split(drop, call.invoke_async(&mut self.redis.clone()).await?)
    }

    fn invocation(&self, script: &'static redis::Script, drop: &DropId) -> ScriptInvocation<'static> {
        let mut call = script.prepare_invoke();
        for key in keys::all(&self.prefix, drop) {
            call.key(key);
        }
        call
    }

    fn key(&self, drop: &DropId, name: &str) -> String {
        keys::one(&self.prefix, drop, name)
    }
}

fn found(answer: u8) -> Result<(), LineError> {
    if answer == 1 { Ok(()) } else { Err(LineError::Restoring) }
}
