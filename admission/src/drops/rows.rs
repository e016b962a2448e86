//! Drops in Postgres, one query a function.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as PgTimestamp, ToSqlx as _};
use sqlx::{FromRow, PgConnection, PgPool, types::Json};
use uuid::Uuid;

use crate::{
    brand::{Brand, Logo},
    ids::DropId,
};

use super::{DrawSource, Drop, DropError, JoinRequires, NewDrop, Settings, State, settings::Mode};

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
    draw_source: String,
    lobby_closes_at: Option<PgTimestamp>,
    brand: Json<Brand>,
    logo: Option<String>,
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
                    join_requires, draw_source, lobby_closes_at, pause_reason, brand, \
                    (SELECT file FROM drop_logos l WHERE l.drop_id = drops.drop_id) AS logo, \
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

/// The time of the transaction.
pub(super) async fn now(db: &mut PgConnection) -> sqlx::Result<Timestamp> {
    sqlx::query_scalar::<_, PgTimestamp>("SELECT now()").fetch_one(db).await.map(PgTimestamp::to_jiff)
}

pub(super) async fn insert(
    db: &mut PgConnection,
    new: &NewDrop,
    seed: &[u8; 32],
    lobby_closes_at: Option<Timestamp>,
) -> Result<(), DropError> {
    let s = &new.settings;
    sqlx::query(
        "INSERT INTO drops (drop_id, rate_per_minute, max_active, claim_window_s, grace_s, session_s, max_per_fan, \
                            opens_at, join_requires, seed, draw_source, lobby_closes_at, brand, title) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $13, $14, $15, \
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
    .bind(s.draw_source.as_str())
    .bind(lobby_closes_at.map(|at| at.to_sqlx()))
    .bind(Json(&s.brand))
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

/// Whether the list of the draw is frozen; from here to the end of the transaction it is not frozen by others.
pub(super) async fn has_list(db: &mut PgConnection, id: &DropId) -> sqlx::Result<bool> {
    sqlx::query("SELECT FROM drops WHERE drop_id = $1 FOR NO KEY UPDATE").bind(id.as_str()).execute(&mut *db).await?;
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM draws WHERE drop_id = $1)").bind(id.as_str()).fetch_one(db).await
}

/// Writes settings and state over the version they were read at; false when it is no longer that one, or
/// the drop has ended.
pub(super) async fn store(db: &mut PgConnection, drop: &Drop) -> sqlx::Result<bool> {
    let s = &drop.settings;
    let done = sqlx::query(
        "UPDATE drops SET rate_per_minute = $3, max_active = $4, claim_window_s = $5, grace_s = $6, session_s = $7, \
                max_per_fan = $8, opens_at = $9, join_requires = $10, state = $11, pause_reason = $12, title = $13, \
                draw_source = $14, lobby_closes_at = $15, brand = $16, \
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
    .bind(s.draw_source.as_str())
    .bind(drop.lobby_closes_at.map(|at| at.to_sqlx()))
    .bind(Json(&s.brand))
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Content type and content.
pub(super) async fn logo(pool: &PgPool, id: &DropId) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    sqlx::query_as("SELECT content_type, bytes FROM drop_logos WHERE drop_id = $1")
        .bind(id.as_str())
        .fetch_optional(pool)
        .await
}

pub(super) async fn store_logo(db: &mut PgConnection, id: &DropId, logo: &Logo) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO drop_logos (drop_id, file, content_type, bytes) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (drop_id) DO UPDATE SET file = $2, content_type = $3, bytes = $4",
    )
    .bind(id.as_str())
    .bind(logo.file())
    .bind(logo.content_type())
    .bind(logo.bytes())
    .execute(db)
    .await
    .map(drop)
}

pub(super) async fn delete_logo(db: &mut PgConnection, id: &DropId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM drop_logos WHERE drop_id = $1").bind(id.as_str()).execute(db).await.map(drop)
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
                draw_source: DrawSource::parse(&self.draw_source).ok_or_else(|| unreadable("draw_source"))?,
                mode: Mode::Queue,
                brand: self.brand.0,
            },
            logo: self.logo,
            state: State::parse(&self.state).ok_or_else(|| unreadable("state"))?,
            pause_reason: self.pause_reason,
            lobby_closes_at: self.lobby_closes_at.map(PgTimestamp::to_jiff),
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
