//! Drops: their settings live in Postgres, their line in Redis. Every change is written to both, in
//! that order, with a line in the audit; a line that Redis lacks is made from Postgres by [`crate::marks`].

mod rows;
mod settings;

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

pub use settings::{Changes, JoinRequires, Settings, SettingsError};

use crate::{
    audit,
    ids::DropId,
    line::{Line, LineError, Notice},
};

/// The longest notice or pause reason, in characters.
pub const WORDS_MAX: usize = 500;
/// Events in one drop.
pub const EVENTS_MAX: usize = 100;

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
    rows::insert(&mut tx, new, &seed).await?;
    rows::insert_events(&mut tx, &new.id, &new.events).await?;
    let detail = json!({ "events": new.events, "settings": new.settings });
    audit::write(&mut *tx, actor, "drop.create", new.id.as_str(), &detail).await?;
    tx.commit().await?;
    let drop = show(pool, &new.id).await?;
    line.create(&drop.id, &drop.control(1)).await?;
    Ok(drop)
}

pub async fn show(pool: &PgPool, id: &DropId) -> Result<Drop, DropError> {
    rows::one(pool, id).await?.ok_or(DropError::NotFound)
}

/// All drops, newest first, up to 500.
pub async fn list(pool: &PgPool) -> Result<Vec<Drop>, DropError> {
    Ok(rows::all(pool).await?)
}

/// The drops whose line must be kept going.
pub async fn live(pool: &PgPool) -> Result<Vec<Drop>, DropError> {
    Ok(rows::live(pool).await?)
}

/// Changes settings; the line obeys within a second.
pub async fn change(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    changes: &Changes,
    actor: &str,
) -> Result<Drop, DropError> {
    let mut drop = running(pool, id).await?;
    drop.settings = changes.apply(&drop.settings);
    drop.settings.check()?;
    let mut tx = pool.begin().await?;
    rows::update_settings(&mut tx, id, &drop.settings).await?;
    audit::write(&mut *tx, actor, "drop.set", id.as_str(), &json!(changes)).await?;
    tx.commit().await?;
    line.set(id, &drop.tuning()).await?;
    show(pool, id).await
}

/// Opens now, whatever `opens_at` said.
pub async fn open(pool: &PgPool, line: &Line, id: &DropId, now: Timestamp, actor: &str) -> Result<Drop, DropError> {
    let drop = running(pool, id).await?;
    if drop.settings.opens_at.is_none_or(|at| at > now) {
        let opened = Settings { opens_at: Some(now), ..drop.settings };
        let mut tx = pool.begin().await?;
        rows::update_settings(&mut tx, id, &opened).await?;
        rows::update_state(&mut tx, id, State::Running, None).await?;
        audit::write(&mut *tx, actor, "drop.open", id.as_str(), &json!({})).await?;
        tx.commit().await?;
        line.open(id).await?;
    }
    show(pool, id).await
}

/// Stops calling and admitting; nothing lapses meanwhile. Fans read the reason.
pub async fn pause(pool: &PgPool, line: &Line, id: &DropId, reason: &str, actor: &str) -> Result<Drop, DropError> {
    words(reason)?;
    running(pool, id).await?;
    transition(pool, id, State::Paused, Some(reason), actor, "drop.pause").await?;
    line.pause(id, reason).await?;
    show(pool, id).await
}

pub async fn resume(pool: &PgPool, line: &Line, id: &DropId, actor: &str) -> Result<Drop, DropError> {
    running(pool, id).await?;
    transition(pool, id, State::Running, None, actor, "drop.resume").await?;
    line.resume(id).await?;
    show(pool, id).await
}

/// Ends the drop for good: nobody is admitted any more; who is inside may finish.
pub async fn end(pool: &PgPool, line: &Line, id: &DropId, actor: &str) -> Result<Drop, DropError> {
    running(pool, id).await?;
    transition(pool, id, State::Ended, None, actor, "drop.end").await?;
    line.finish(id).await?;
    show(pool, id).await
}

/// Tells all fans something, at once and on every page they open later.
pub async fn notice(pool: &PgPool, line: &Line, id: &DropId, notice: &Notice, actor: &str) -> Result<(), DropError> {
    words(&notice.text)?;
    running(pool, id).await?;
    audit::write(pool, actor, "drop.notice", id.as_str(), &json!(notice)).await?;
    line.set(id, &[("notice", json!(notice).to_string())]).await?;
    Ok(())
}

async fn running(pool: &PgPool, id: &DropId) -> Result<Drop, DropError> {
    let drop = show(pool, id).await?;
    if drop.state == State::Ended { Err(DropError::Ended) } else { Ok(drop) }
}

async fn transition(
    pool: &PgPool,
    id: &DropId,
    to: State,
    reason: Option<&str>,
    actor: &str,
    action: &str,
) -> Result<(), DropError> {
    let mut tx = pool.begin().await?;
    rows::update_state(&mut tx, id, to, reason).await?;
    audit::write(&mut *tx, actor, action, id.as_str(), &json!({ "reason": reason })).await?;
    tx.commit().await?;
    Ok(())
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

    /// What an operator may tune while it runs.
    fn tuning(&self) -> Vec<(&'static str, String)> {
        let s = &self.settings;
        let micros = |seconds: i32| (i64::from(seconds) * 1_000_000).to_string();
        vec![
            ("rate", s.rate_per_minute.to_string()),
            ("max_active", s.max_active.to_string()),
            ("claim_us", micros(s.claim_window_s)),
            ("grace_us", micros(s.grace_s)),
            ("session_us", micros(s.session_s)),
            ("opens_at", s.opens_at.map_or(0, Timestamp::as_microsecond).to_string()),
            ("join_requires", s.join_requires.as_str().to_owned()),
        ]
    }
}
