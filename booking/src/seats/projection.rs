//! Keeps the hint in Redis a projection of Postgres: starts it when it is missing, compares it since.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::chooser::Returned;
use crate::app::App;
use crate::error::Result;

/// A mark younger than this when Postgres was read may belong to a checkout under way: it stays.
const UNDER_WAY_MS: u64 = 15_000;
/// Corrections a call, each way; the rest waits for the next comparison.
const CORRECTIONS_MAX: usize = 5_000;

/// One rebuild at a time in this process is enough; who comes meanwhile goes to Postgres.
static REBUILDING: Mutex<()> = Mutex::const_new(());

/// The projection of this event is missing: build it, unless somebody does already.
pub(crate) async fn rebuild(app: &App, event_id: Uuid) -> Result<()> {
    let Ok(_alone) = REBUILDING.try_lock() else { return Ok(()) };
    let look = look(&app.pool, event_id, returned_since(app)).await?;
    app.seats.holds.rebuild(&app.redis, event_id, &look.taken, &look.returned).await;
    Ok(())
}

/// Seats that came back before this are anybody's.
pub(crate) fn returned_since(app: &App) -> Timestamp {
    let now = app.clock.now();
    now.checked_sub(Duration::from_secs(app.settings.returned_first_s)).unwrap_or(now)
}

/// Compares every event of a drop that has not ended, or only just: who is inside may finish. A drop that opens by
/// itself stays `scheduled` in Postgres.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    for event_id in events_on_sale(&app.pool).await? {
        compare(app, event_id).await?;
    }
    Ok(())
}

async fn compare(app: &App, event_id: Uuid) -> Result<()> {
    let holds = &app.seats.holds;
    let Some(before) = holds.peek(&app.redis, event_id).await else { return Ok(()) };
    if before.epoch.is_empty() {
        return rebuild(app, event_id).await;
    }
    let truth = look(&app.pool, event_id, returned_since(app)).await?.taken;
    let truth: HashSet<u32> = truth.into_iter().collect();
    let seats = u32::try_from(app.seats.inventories.of(&app.pool, event_id).await?.len()).unwrap_or(u32::MAX);
    let differing = (0..seats).filter(|seat| before.contains(*seat) != truth.contains(seat));
    let (mut take, mut free): (Vec<u32>, Vec<u32>) = differing.partition(|seat| truth.contains(seat));
    take.truncate(CORRECTIONS_MAX);
    free.truncate(CORRECTIONS_MAX);
    let marked_before = before.now_ms.saturating_sub(UNDER_WAY_MS);
    // also without a difference: the call keeps the projection from going idle
    let changed = holds.correct(&app.redis, event_id, &before.epoch, marked_before, &free, &take).await;
    if changed.is_some_and(|changed| changed > 0) {
        tracing::debug!(%event_id, changed, "seat projection corrected");
    }
    Ok(())
}

/// An event's seats as Postgres has them. What somebody's unfinished transaction does to them is not seen.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Ordinals that cannot be had now: claimed, bought or withdrawn.
    pub(crate) taken: Vec<u32>,
    /// Seats that can be had, by the line first.
    pub(crate) returned: Vec<Returned>,
}

impl Look {
    /// All seats that not everybody can have.
    pub(crate) fn ordinals(&self) -> HashSet<u32> {
        self.taken.iter().copied().chain(self.returned.iter().map(|seat| seat.ordinal)).collect()
    }
}

pub(crate) async fn look(db: impl PgExecutor<'_>, event_id: Uuid, returned_since: Timestamp) -> sqlx::Result<Look> {
    let rows: Vec<(i32, bool, Option<jiff_sqlx::Timestamp>)> = sqlx::query_as(
        "SELECT * FROM (
             SELECT t.ordinal, t.status <> 'available' OR EXISTS (
                 SELECT FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live) AS taken,
                 t.returned_at
             FROM tickets t WHERE t.event_id = $1) seats
         WHERE taken OR returned_at > $2",
    )
    .bind(event_id)
    .bind(returned_since.to_sqlx())
    .fetch_all(db)
    .await?;
    let mut look = Look::default();
    for (ordinal, taken, returned_at) in rows {
        let Ok(ordinal) = u32::try_from(ordinal) else { continue };
        match returned_at {
            Some(at) if !taken => look.returned.push(Returned { ordinal, at: at.to_jiff() }),
            _ => look.taken.push(ordinal),
        }
    }
    Ok(look)
}

/// Whether every open seat of the event is sold: then the protected ones are kept no longer.
pub(crate) async fn pools_are_released(db: impl PgExecutor<'_>, event_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT NOT EXISTS (
             SELECT FROM tickets t
             WHERE t.event_id = $1 AND t.pool = 'open' AND t.status = 'available'
               AND NOT EXISTS (SELECT FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live AND c.state = 'sold'))",
    )
    .bind(event_id)
    .fetch_one(db)
    .await
}

async fn events_on_sale(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT e.event_id FROM drop_events e JOIN drops d USING (drop_id)
         WHERE d.state <> 'ended' OR d.updated_at > now() - interval '1 day'", // no session is longer
    )
    .fetch_all(pool)
    .await
}
