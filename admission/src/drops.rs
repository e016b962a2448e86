//! Drops: their settings live in Postgres, their line in Redis. Every change is written to both, in
//! that order, with a line in the audit; a line that Redis lacks is made from Postgres by [`crate::marks`].

mod brand;
mod rows;
mod settings;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

pub use brand::{change_logo, show_brand};
pub use settings::{Changes, DrawSource, JoinRequires, Settings, SettingsError};

use crate::{
    audit,
    brand::Logo,
    draw,
    ids::DropId,
    line::{Line, LineError, Notice, Order, Phase},
};

/// The longest notice or pause reason, in characters.
pub const WORDS_MAX: usize = 500;
/// Events in one drop.
pub const EVENTS_MAX: usize = 100;
/// How often an order is decided anew because another one was stored in between.
const DECISIONS_MAX: usize = 5;

/// An on-sale as Postgres knows it.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Drop {
    #[serde(rename = "drop")]
    pub id: DropId,
    pub events: Vec<Uuid>,
    #[serde(flatten)]
    pub settings: Settings,
    pub state: State,
    #[schema(required)]
    pub pause_reason: Option<String>,
    /// Grows with every change.
    pub version: i32,
    /// When the list for the draw closes; null: at the opening.
    #[schema(required)]
    pub lobby_closes_at: Option<Timestamp>,
    /// The logo's file, beside its brand.
    #[schema(required)]
    pub logo: Option<String>,
    /// Orders the lobby. Secret until the draw.
    #[serde(skip)]
    pub seed: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DropPhase)]
pub enum State {
    /// Not open yet; fans may gather in the lobby.
    Scheduled,
    Running,
    Paused,
    Ended,
}

/// A drop to be made.
#[derive(Debug, Clone)]
pub struct NewDrop {
    pub id: DropId,
    pub events: Vec<Uuid>,
    pub settings: Settings,
}

#[derive(Debug, thiserror::Error)]
pub enum DropError {
    #[error("there is no such drop")]
    NotFound,
    #[error("a drop of that id exists")]
    Exists,
    #[error("a drop sells at least one and at most {EVENTS_MAX} events")]
    EventCount,
    #[error("there is no such event")]
    UnknownEvent,
    #[error("an event of it is in another drop")]
    EventTaken,
    #[error("the drop has ended")]
    Ended,
    #[error("the drop is open; it cannot be moved to another time")]
    Open,
    #[error("the list of the draw has closed; neither the opening nor the draw can be changed any more")]
    ListClosed,
    #[error("somebody else changed the drop at the same moment; look again")]
    Changed,
    #[error("say in 1 to {WORDS_MAX} characters what fans should read")]
    Words,
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the drops cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the change is stored, but the line could not be told")]
    Line(#[from] LineError),
}

/// Makes a drop and its line; its lobby is open from now on.
pub async fn create(pool: &PgPool, line: &Line, new: &NewDrop, actor: &str) -> Result<Drop, DropError> {
    new.settings.check()?;
    if new.events.is_empty() || new.events.len() > EVENTS_MAX {
        return Err(DropError::EventCount);
    }
    let seed: [u8; 32] = shared::encoding::random();
    let mut tx = pool.begin().await?;
    let now = rows::now(&mut tx).await?;
    let closes_at = draw::lobby_closes_at(new.settings.draw_source, new.settings.opens_at, now);
    rows::insert(&mut tx, new, &seed, closes_at).await?;
    rows::insert_events(&mut tx, &new.id, &new.events).await?;
    let detail = json!({ "events": new.events, "settings": new.settings });
    audit::write(&mut *tx, actor, "drop.create", new.id.as_str(), &detail).await?;
    tx.commit().await?;
    let drop = show(pool, &new.id).await?;
    line.create(&drop.id, &drop.control(1)).await?;
    line.apply(&drop.id, &drop.order()).await?;
    show_brand(pool, line, &drop).await?;
    Ok(drop)
}

pub async fn show(pool: &PgPool, id: &DropId) -> Result<Drop, DropError> {
    rows::one(pool, id).await?.ok_or(DropError::NotFound)
}

/// All drops, newest first, up to 500.
pub async fn list(pool: &PgPool) -> Result<Vec<Drop>, DropError> {
    Ok(rows::all(pool).await?)
}

/// The drops whose line must be kept going: those that have not ended, and for a day those that have, so
/// that who is inside ends in good order.
pub async fn live(pool: &PgPool) -> Result<Vec<Drop>, DropError> {
    Ok(rows::live(pool).await?)
}

/// Changes settings; the line obeys within a second. An open drop cannot be moved to another time: who
/// joined would be overtaken by who comes to the new lobby.
pub async fn change(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    changes: &Changes,
    now: Timestamp,
    actor: &str,
) -> Result<Drop, DropError> {
    set(pool, line, id, None, changes, now, actor).await
}

/// The same, if the drop is still at the version the changes were meant for: one look and one write, so
/// that nothing comes between.
pub async fn change_seen(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    seen: i32,
    changes: &Changes,
    now: Timestamp,
    actor: &str,
) -> Result<Drop, DropError> {
    set(pool, line, id, Some(seen), changes, now, actor).await
}

async fn set(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    seen: Option<i32>,
    changes: &Changes,
    now: Timestamp,
    actor: &str,
) -> Result<Drop, DropError> {
    let decision = Decision { seen, ..Decision::new("drop.set", json!(changes)) };
    let drop = steer(pool, line, id, actor, decision, |drop| {
        let changed = changes.apply(&drop.settings);
        changed.check()?;
        let is_open = drop.settings.opens_at.is_some_and(|at| at <= now);
        if is_open && changed.opens_at != drop.settings.opens_at {
            return Err(DropError::Open);
        }
        let redrawn = (changed.opens_at, changed.draw_source) != (drop.settings.opens_at, drop.settings.draw_source);
        if redrawn && (is_open || drop.lobby_closes_at.is_some_and(|at| at <= now)) {
            return Err(DropError::ListClosed);
        }
        if redrawn {
            drop.lobby_closes_at = draw::lobby_closes_at(changed.draw_source, changed.opens_at, now);
        }
        drop.settings = changed;
        Ok(())
    })
    .await?;
    if changes.brand.is_some() {
        show_brand(pool, line, &drop).await?;
    }
    Ok(drop)
}

/// Opens now, whatever `opens_at` said.
pub async fn open(pool: &PgPool, line: &Line, id: &DropId, now: Timestamp, actor: &str) -> Result<Drop, DropError> {
    steer(pool, line, id, actor, Decision::new("drop.open", json!({})), |drop| {
        if drop.settings.opens_at.is_none_or(|at| at > now) {
            drop.settings.opens_at = Some(now);
            // one that has closed stays closed
            drop.lobby_closes_at = drop.lobby_closes_at.filter(|at| *at <= now);
        }
        Ok(())
    })
    .await
}

/// Stops calling and admitting; nothing lapses meanwhile. Fans read the reason.
pub async fn pause(pool: &PgPool, line: &Line, id: &DropId, reason: &str, actor: &str) -> Result<Drop, DropError> {
    words(reason)?;
    steer(pool, line, id, actor, Decision::new("drop.pause", json!({ "reason": reason })), |drop| {
        drop.state = State::Paused;
        drop.pause_reason = Some(reason.to_owned());
        Ok(())
    })
    .await
}

pub async fn resume(pool: &PgPool, line: &Line, id: &DropId, actor: &str) -> Result<Drop, DropError> {
    steer(pool, line, id, actor, Decision::new("drop.resume", json!({})), |drop| {
        drop.state = State::Scheduled;
        drop.pause_reason = None;
        Ok(())
    })
    .await
}

/// Ends the drop for good: nobody is admitted any more; who is inside may finish. Ending twice is once.
pub async fn end(pool: &PgPool, line: &Line, id: &DropId, actor: &str) -> Result<Drop, DropError> {
    let ended = |drop: &mut Drop| {
        drop.state = State::Ended;
        drop.pause_reason = None;
        Ok(())
    };
    match steer(pool, line, id, actor, Decision::new("drop.end", json!({})), ended).await {
        Err(DropError::Ended) => {
            let drop = show(pool, id).await?;
            line.apply(id, &drop.order()).await?;
            Ok(drop)
        }
        outcome => outcome,
    }
}

/// Tells all fans something, at once and on every page they open later.
pub async fn notice(pool: &PgPool, line: &Line, id: &DropId, notice: &Notice, actor: &str) -> Result<(), DropError> {
    words(&notice.text)?;
    if show(pool, id).await?.state == State::Ended {
        return Err(DropError::Ended);
    }
    audit::write(pool, actor, "drop.notice", id.as_str(), &json!(notice)).await?;
    Ok(line.notify(id, notice).await?)
}

/// Takes the word back: no page shows it any more, at once.
pub async fn withdraw_notice(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    now: Timestamp,
    actor: &str,
) -> Result<(), DropError> {
    show(pool, id).await?;
    audit::write(pool, actor, "drop.notice_withdrawn", id.as_str(), &json!({})).await?;
    Ok(line.notify(id, &Notice::withdrawn(now)).await?)
}

/// What an operator decides, as the audit has it.
struct Decision<'a> {
    action: &'a str,
    detail: Value,
    /// The version it is meant for; otherwise it holds whatever was decided before.
    seen: Option<i32>,
    /// A new logo, or none, with it.
    logo: Option<Option<&'a Logo>>,
}

/// One decision: stored with its place in the audit, then told to the line. Should the line not hear it,
/// the keeper tells it again within a second, and so does whoever repeats the call.
async fn steer(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    actor: &str,
    decision: Decision<'_>,
    decide: impl Fn(&mut Drop) -> Result<(), DropError>,
) -> Result<Drop, DropError> {
    for _ in 0..DECISIONS_MAX {
        let mut drop = show(pool, id).await?;
        if drop.state == State::Ended {
            return Err(DropError::Ended);
        }
        if decision.seen.is_some_and(|seen| seen != drop.version) {
            return Err(DropError::Changed);
        }
        let before = drop.draw_times();
        decide(&mut drop)?;
        let mut tx = pool.begin().await?;
        if drop.draw_times() != before && rows::has_list(&mut tx, id).await? {
            drop.keep_list_of(before)?;
        }
        if !rows::store(&mut tx, &drop).await? {
            continue;
        }
        match decision.logo {
            Some(Some(logo)) => rows::store_logo(&mut tx, id, logo).await?,
            Some(None) => rows::delete_logo(&mut tx, id).await?,
            None => {}
        }
        audit::write(&mut *tx, actor, decision.action, id.as_str(), &decision.detail).await?;
        tx.commit().await?;
        let drop = show(pool, id).await?;
        line.apply(id, &drop.order()).await?;
        return Ok(drop);
    }
    Err(DropError::Changed)
}

impl<'a> Decision<'a> {
    fn new(action: &'a str, detail: Value) -> Self {
        Self { action, detail, seen: None, logo: None }
    }
}

fn words(text: &str) -> Result<(), DropError> {
    let good = !text.trim().is_empty() && text.chars().count() <= WORDS_MAX;
    if good { Ok(()) } else { Err(DropError::Words) }
}

impl Drop {
    /// Everything a new control of this drop holds, but for the marks of an earlier epoch.
    pub(crate) fn control(&self, epoch: u64) -> Vec<(&'static str, String)> {
        let mut fields = self.tuning();
        fields.push(("epoch", epoch.to_string()));
        let events: Vec<String> = self.events.iter().map(Uuid::to_string).collect();
        fields.push(("events", json!(events).to_string()));
        fields
    }

    /// What a frozen list is bound to: source, opening, closing.
    fn draw_times(&self) -> (DrawSource, Option<Timestamp>, Option<Timestamp>) {
        (self.settings.draw_source, self.settings.opens_at, self.lobby_closes_at)
    }

    /// The clock that closes a list is Redis's. When it is frozen already, whatever the time was here, neither
    /// source nor closing change, and an opening only comes earlier.
    fn keep_list_of(
        &mut self,
        (source, opens_at, closes_at): (DrawSource, Option<Timestamp>, Option<Timestamp>),
    ) -> Result<(), DropError> {
        let sooner = match (self.settings.opens_at, opens_at) {
            (Some(now), Some(before)) => now <= before,
            (Some(_), None) => true,
            (None, before) => before.is_none(),
        };
        if !sooner || self.settings.draw_source != source {
            return Err(DropError::ListClosed);
        }
        self.lobby_closes_at = closes_at;
        Ok(())
    }

    /// What the operators decided, for the line to obey.
    pub(crate) fn order(&self) -> Order {
        let phase = match self.state {
            State::Scheduled | State::Running => Phase::Going,
            State::Paused => Phase::Paused { reason: self.pause_reason.clone().unwrap_or_default() },
            State::Ended => Phase::Ended,
        };
        Order { version: self.version.unsigned_abs().into(), phase, settings: self.tuning() }
    }

    /// What an operator may tune while it runs.
    fn tuning(&self) -> Vec<(&'static str, String)> {
        let s = &self.settings;
        let micros = |seconds: i32| (i64::from(seconds) * 1_000_000).to_string();
        vec![
            ("title", s.title.clone()),
            ("rate", s.rate_per_minute.to_string()),
            ("max_active", s.max_active.to_string()),
            ("claim_us", micros(s.claim_window_s)),
            ("grace_us", micros(s.grace_s)),
            ("session_us", micros(s.session_s)),
            ("opens_at", s.opens_at.map_or(0, Timestamp::as_microsecond).to_string()),
            ("lobby_closes_at", self.lobby_closes_at.map_or(0, Timestamp::as_microsecond).to_string()),
            ("join_requires", s.join_requires.as_str().to_owned()),
        ]
    }
}
