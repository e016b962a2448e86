//! Keeps the hint in Redis a projection of Postgres: starts it when it is missing, compares it since.

use std::collections::HashSet;

use sqlx::PgPool;
use tokio::sync::Mutex;
use uuid::Uuid;

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
    let taken = taken(&app.pool, event_id).await?;
    app.seats.holds.rebuild(&app.redis, event_id, &taken).await;
    Ok(())
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
    let truth: HashSet<u32> = taken(&app.pool, event_id).await?.into_iter().collect();
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

/// Ordinals that cannot be had now: claimed, bought or withdrawn.
pub(crate) async fn taken(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Vec<u32>> {
    let ordinals: Vec<i32> = sqlx::query_scalar(
        "SELECT t.ordinal FROM tickets t
         WHERE t.event_id = $1 AND (t.status <> 'available'
            OR EXISTS (SELECT FROM claims c WHERE c.ticket_id = t.ticket_id AND c.state IN ('held', 'sold')))",
    )
    .bind(event_id)
    .fetch_all(pool)
    .await?;
    Ok(ordinals.into_iter().filter_map(|ordinal| u32::try_from(ordinal).ok()).collect())
}

async fn events_on_sale(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT e.event_id FROM drop_events e JOIN drops d USING (drop_id)
         WHERE d.state <> 'ended' OR d.updated_at > now() - interval '1 day'", // no session is longer
    )
    .fetch_all(pool)
    .await
}
