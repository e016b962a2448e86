//! Freeing the slot of a fan who has bought.

use admission::ids::{DropId, Place};
use admission::line::{EndReason, LineError};
use anyhow::Context as _;
use sqlx::PgPool;

use crate::app::App;

/// Ends the place. A line that is being restored is waited for; that of a drop that has ended may never come
/// back, and has no slots to free.
pub(super) async fn end_place(app: &App, drop_id: &str, place: &str) -> anyhow::Result<()> {
    let drop = DropId::parse(drop_id).context("a drop's id")?;
    let place = Place::parse(place).context("a place")?;
    let ended = app.line.end_place(&drop, place, EndReason::Finished).await;
    shared::crash::point("place.ended");
    match ended {
        Err(LineError::Restoring) if has_ended(&app.pool, drop_id).await? => Ok(()),
        ended => Ok(ended?),
    }
}

async fn has_ended(pool: &PgPool, drop_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM drops WHERE drop_id = $1 AND state = 'ended')")
        .bind(drop_id)
        .fetch_one(pool)
        .await
}
