//! What changes slowly about an event's page: the event, its drop, the names of its tiers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiff_sqlx as pg;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use super::events::{self, Event};
use crate::fresh::{Fresh, LoadError};

#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    pub event: Event,
    /// `None`: not on sale.
    pub drop: Option<DropSummary>,
    pub tier_names: HashMap<String, String>,
}

/// The on-sale an event belongs to, as its fans need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DropSummary {
    pub drop_id: String,
    pub state: String,
    #[schema(required)]
    pub opens_at: Option<Timestamp>,
    /// Where to queue.
    pub queue: String,
}

/// Details of this process, at most a moment old; unknown events are remembered as well.
pub struct DetailsCache {
    by_event: Fresh<Uuid, Option<Arc<Details>>>,
}

impl DetailsCache {
    pub fn new(time_to_live: Duration) -> Self {
        Self { by_event: Fresh::new(time_to_live) }
    }

    /// `None` when there is no such event.
    pub(crate) async fn of(&self, pool: &PgPool, event_id: Uuid) -> Result<Option<Arc<Details>>, LoadError> {
        self.by_event.get(event_id, load(pool, event_id)).await
    }
}

async fn load(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<Arc<Details>>> {
    let Some(event) = events::load(pool, &[event_id]).await?.pop() else { return Ok(None) };
    let drop = find_drop(pool, event_id).await?;
    let tier_names = tier_names(pool, event_id).await?;
    Ok(Some(Arc::new(Details { event, drop, tier_names })))
}

#[derive(sqlx::FromRow)]
struct DropRow {
    drop_id: String,
    state: String,
    opens_at: Option<pg::Timestamp>,
}

async fn find_drop(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<DropSummary>> {
    let row: Option<DropRow> = sqlx::query_as(
        "SELECT d.drop_id, d.state, d.opens_at FROM drop_events de JOIN drops d USING (drop_id) WHERE de.event_id = $1",
    )
    .bind(event_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| DropSummary {
        queue: format!("/queue/{}", row.drop_id),
        drop_id: row.drop_id,
        state: row.state,
        opens_at: row.opens_at.map(pg::Timestamp::to_jiff),
    }))
}

/// Names of the layout's tiers, read inside Postgres: a stadium's body is megabytes.
async fn tier_names(pool: &PgPool, event_id: Uuid) -> sqlx::Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT t->>'tier', t->>'name'
         FROM events e
         JOIN layouts l ON l.hash = e.layout_hash
         CROSS JOIN LATERAL json_array_elements(l.body::json->'tiers') t
         WHERE e.event_id = $1",
    )
    .bind(event_id)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}
