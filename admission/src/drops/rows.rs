//! Drops in Postgres, one query a function.

use jiff_sqlx::{Timestamp as PgTimestamp, ToSqlx as _};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::ids::DropId;

use super::{Drop, DropError, JoinRequires, NewDrop, Settings, State, settings::Mode};

#[derive(FromRow)]
struct Row {
    drop_id: String,
    title: String,
    rate_per_minute: i32,
    max_active: i32,
    claim_window_s: i32,
    grace_s: i32,
    session_s: i32,
    max_per_fan: i32,
    opens_at: Option<PgTimestamp>,
    join_requires: String,
    state: String,
    pause_reason: Option<String>,
    seed: Vec<u8>,
    version: i32,
    events: Vec<Uuid>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT drop_id, title, rate_per_minute, max_active, claim_window_s, grace_s, session_s, max_per_fan, opens_at, \
                    join_requires, pause_reason, \
                    CASE WHEN state = 'scheduled' AND opens_at <= now() THEN 'running' ELSE state END AS state, seed, version, \
                    ARRAY(SELECT event_id FROM drop_events e WHERE e.drop_id = drops.drop_id ORDER BY event_id) AS events \
               FROM drops ",
            $rest
        )
    };
}

pub(super) async fn one(pool: &PgPool, id: &DropId) -> sqlx::Result<Option<Drop>> {
    sqlx::query_as::<_, Row>(select!("WHERE drop_id = $1"))
        .bind(id.as_str())
        .fetch_optional(pool)
        .await?
        .map(Row::read)
        .transpose()
}

pub(super) async fn all(pool: &PgPool) -> sqlx::Result<Vec<Drop>> {
    sqlx::query_as::<_, Row>(select!("ORDER BY created_at DESC, drop_id LIMIT 500"))
        .fetch_all(pool)
        .await?
        .into_iter()
        .map(Row::read)
        .collect()
}

pub(super) async fn live(pool: &PgPool) -> sqlx::Result<Vec<Drop>> {
    sqlx::query_as::<_, Row>(select!(
        "WHERE state <> 'ended' OR updated_at > now() - interval '1 day' ORDER BY drop_id"
    ))
    .fetch_all(pool)
    .await?
    .into_iter()
    .map(Row::read)
    .collect()
}

pub(super) async fn insert(db: &mut PgConnection, new: &NewDrop, seed: &[u8; 32]) -> Result<(), DropError> {
    let s = &new.settings;
    sqlx::query(
        "INSERT INTO drops (drop_id, rate_per_minute, max_active, claim_window_s, grace_s, session_s, max_per_fan, \
                            opens_at, join_requires, seed, title) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
                 COALESCE(NULLIF($11, ''), (SELECT left(regexp_replace(name, '[[:cntrl:]]+', ' ', 'g'), 120) \
                                             FROM events WHERE event_id = $12), ''))",
    )
    .bind(new.id.as_str())
    .bind(s.rate_per_minute)
    .bind(s.max_active)
    .bind(s.claim_window_s)
    .bind(s.grace_s)
    .bind(s.session_s)
    .bind(s.max_per_fan)
    .bind(s.opens_at.map(|at| at.to_sqlx()))
    .bind(s.join_requires.as_str())
    .bind(&seed[..])
    .bind(s.title.trim())
    .bind(new.events.first())
    .execute(db)
    .await
    .map_err(|error| match shared::postgres::constraint(&error) {
        Some("drops_pkey") => DropError::Exists,
        _ => DropError::Database(error),
    })?;
    Ok(())
}

pub(super) async fn insert_events(db: &mut PgConnection, id: &DropId, events: &[Uuid]) -> Result<(), DropError> {
    sqlx::query("INSERT INTO drop_events (event_id, drop_id) SELECT unnest($1::uuid[]), $2")
        .bind(events)
        .bind(id.as_str())
        .execute(db)
        .await
        .map_err(|error| match shared::postgres::constraint(&error) {
            Some("drop_events_pkey") => DropError::EventTaken,
            Some("drop_events_event_id_fkey") => DropError::UnknownEvent,
            _ => DropError::Database(error),
        })?;
    Ok(())
}

/// Writes settings and state over the version they were read at; false when it is no longer that one, or
/// the drop has ended.
pub(super) async fn store(db: &mut PgConnection, drop: &Drop) -> sqlx::Result<bool> {
    let s = &drop.settings;
    let done = sqlx::query(
        "UPDATE drops SET rate_per_minute = $3, max_active = $4, claim_window_s = $5, grace_s = $6, session_s = $7, \
                max_per_fan = $8, opens_at = $9, join_requires = $10, state = $11, pause_reason = $12, title = $13, \
                version = version + 1, updated_at = now() \
          WHERE drop_id = $1 AND version = $2 AND state <> 'ended'",
    )
    .bind(drop.id.as_str())
    .bind(drop.version)
    .bind(s.rate_per_minute)
    .bind(s.max_active)
    .bind(s.claim_window_s)
    .bind(s.grace_s)
    .bind(s.session_s)
    .bind(s.max_per_fan)
    .bind(s.opens_at.map(|at| at.to_sqlx()))
    .bind(s.join_requires.as_str())
    .bind(drop.state.stored())
    .bind(drop.pause_reason.as_deref())
    .bind(&s.title)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl Row {
    fn read(self) -> sqlx::Result<Drop> {
        let unreadable = |column: &str| sqlx::Error::Decode(format!("drops.{column} is unreadable").into());
        let id = DropId::parse(&self.drop_id).ok_or_else(|| unreadable("drop_id"))?;
        Ok(Drop {
            events: self.events,
            settings: Settings {
                title: if self.title.is_empty() { id.readable() } else { self.title },
                rate_per_minute: self.rate_per_minute,
                max_active: self.max_active,
                claim_window_s: self.claim_window_s,
                grace_s: self.grace_s,
                session_s: self.session_s,
                max_per_fan: self.max_per_fan,
                opens_at: self.opens_at.map(PgTimestamp::to_jiff),
                join_requires: JoinRequires::parse(&self.join_requires).ok_or_else(|| unreadable("join_requires"))?,
                mode: Mode::Queue,
            },
            state: State::parse(&self.state).ok_or_else(|| unreadable("state"))?,
            pause_reason: self.pause_reason,
            id,
            version: self.version,
            seed: self.seed.try_into().map_err(|_| unreadable("seed"))?,
        })
    }
}

impl State {
    /// The column's word: whether a scheduled drop runs follows from the time.
    fn stored(self) -> &'static str {
        match self {
            Self::Scheduled | Self::Running => "scheduled",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            "scheduled" => Some(Self::Scheduled),
            "running" => Some(Self::Running),
            "paused" => Some(Self::Paused),
            "ended" => Some(Self::Ended),
            _ => None,
        }
    }
}
