//! Keeping the index up to date from Postgres' change feed.
//!
//! Every change of an event stamps its row with the id of the changing transaction. Ids are
//! given at the beginning and rows appear at the commit, so a row with a lower id may appear
//! after one with a higher. Hence nothing is read beyond `pg_snapshot_xmin`: below it every
//! transaction has ended, and what it changed is visible. NOTIFY wakes the follower, and it
//! looks by itself as well: a missed wake-up, or a change held back by an older transaction
//! that touched no event, is only late.
//!
//! A database restored from a dump has rows stamped by another cluster, with ids it may not
//! reach for years. So an index made anew takes every row it sees, whatever its stamp.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use sqlx::{PgPool, postgres::PgListener};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Search, index::Mark};
use crate::{catalogue::events, metrics};

/// Events read and indexed at a time.
const PAGE_EVENTS: i64 = events::LOAD_MAX as i64;
/// Pause before looking again for changes held back by an older transaction, in milliseconds.
const HELD_BACK_MS: u64 = 50;

/// What one round found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Events put in, changed ones included.
    pub indexed: u64,
    /// Changes are committed that may not be read yet.
    pub held_back: bool,
}

/// Follows until stopped. Postgres may come and go: the index then stays as it is.
pub(crate) async fn follow(
    search: Search,
    pool: PgPool,
    poll: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut listener = None;
    let mut failing = false;
    loop {
        if listener.is_none() {
            listener = listen(&pool).await.ok();
        }
        let wait = match once(&search, &pool).await {
            Ok(round) => {
                if failing {
                    tracing::info!("the search index follows Postgres again");
                }
                failing = false;
                if round.held_back { Duration::from_millis(HELD_BACK_MS) } else { poll }
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = format!("{error:#}"), "the search index cannot follow Postgres");
                }
                failing = true;
                poll
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
            alive = notified(&mut listener) => if !alive { listener = None },
        }
    }
}

/// Reads all that may be read now. One at a time: the follower is the only caller in a process.
pub(super) async fn once(search: &Search, pool: &PgPool) -> anyhow::Result<Round> {
    let horizon = horizon(pool).await.context("reading the horizon")?;
    let start = match search.index.mark() {
        // a mark is only written with a commit; in between, this process remembers how far it got
        Some(mark) if mark.database == horizon.database && mark.through <= horizon.xmin => {
            Some(mark.through.max(search.through().min(horizon.xmin)))
        }
        known => {
            if known.is_some() {
                tracing::warn!("the search index is a copy of another database: building it anew");
                search.index.clear()?;
            }
            None
        }
    };
    let indexed = read_between(search, pool, start, &horizon).await?;
    search.through.send_if_modified(|through| std::mem::replace(through, horizon.xmin) != horizon.xmin);
    Ok(Round { indexed, held_back: horizon.held_back })
}

/// Indexes what changed from `start` up to the horizon, or with no start everything there
/// is, and commits.
async fn read_between(search: &Search, pool: &PgPool, start: Option<u64>, horizon: &Horizon) -> anyhow::Result<u64> {
    let mut indexed = 0;
    let mut position = Position { xid: start.unwrap_or(0), event_id: Uuid::nil() };
    // what is read from beyond the horizon is read again: the mark stays at the horizon
    let end = start.map(|_| horizon.xmin);
    loop {
        let page = page(pool, &position, end).await.context("reading the change feed")?;
        let Some(last) = page.last() else { break };
        position = Position { xid: last.xid()?, event_id: last.event_id };
        let ids: Vec<Uuid> = page.iter().map(|change| change.event_id).collect();
        let events = events::load(pool, &ids).await.context("reading changed events")?;
        indexed += events.len() as u64;
        let index = Arc::clone(&search.index);
        tokio::task::spawn_blocking(move || index.put(&events)).await??;
        if ids.len() < events::LOAD_MAX {
            break;
        }
    }
    if indexed > 0 || start.is_none() {
        let index = Arc::clone(&search.index);
        let mark = Mark::new(horizon.database.clone(), horizon.xmin);
        tokio::task::spawn_blocking(move || index.commit(&mark)).await??;
        ::metrics::counter!(metrics::INDEXED).increment(indexed);
    }
    Ok(indexed)
}

/// The transaction below which all have ended, and which database says so.
struct Horizon {
    xmin: u64,
    database: String,
    /// Ids from the first that nobody has yet are another cluster's and hold nothing back.
    held_back: bool,
}

async fn horizon(pool: &PgPool) -> anyhow::Result<Horizon> {
    let (xmin, database, held_back): (String, String, bool) = sqlx::query_as(
        "SELECT h.horizon::text, c.system_identifier::text || '/' || d.oid::text,
                EXISTS (SELECT 1 FROM events e WHERE e.changed_xid >= h.horizon AND e.changed_xid < h.next)
         FROM (SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s) FROM pg_current_snapshot() s) AS h (horizon, next),
              pg_control_system() c, pg_database d
         WHERE d.datname = current_database()",
    )
    .fetch_one(pool)
    .await?;
    Ok(Horizon { xmin: xmin.parse()?, database, held_back })
}

struct Position {
    xid: u64,
    event_id: Uuid,
}

#[derive(sqlx::FromRow)]
struct Change {
    xid: String,
    event_id: Uuid,
}

impl Change {
    fn xid(&self) -> anyhow::Result<u64> {
        self.xid.parse().context("a transaction id")
    }
}

/// The next changes after `after` and below `end`, if there is one, oldest first.
async fn page(pool: &PgPool, after: &Position, end: Option<u64>) -> sqlx::Result<Vec<Change>> {
    sqlx::query_as(
        "SELECT changed_xid::text AS xid, event_id FROM events
         WHERE changed_xid >= $1::text::xid8 AND ($3::text IS NULL OR changed_xid < $3::text::xid8)
           AND (changed_xid > $1::text::xid8 OR event_id > $2)
         ORDER BY changed_xid, event_id
         LIMIT $4",
    )
    .bind(after.xid.to_string())
    .bind(after.event_id)
    .bind(end.map(|end| end.to_string()))
    .bind(PAGE_EVENTS)
    .fetch_all(pool)
    .await
}

async fn listen(pool: &PgPool) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("events_changed").await?;
    Ok(listener)
}

/// Waits for a wake-up; false when the connection is gone.
async fn notified(listener: &mut Option<PgListener>) -> bool {
    match listener {
        Some(listener) => {
            let alive = matches!(listener.try_recv().await, Ok(Some(_)));
            // one round answers all wake-ups that came meanwhile
            while listener.next_buffered().is_some() {}
            alive
        }
        None => std::future::pending().await,
    }
}
