//! What changes slowly about an event's page: the event, its drop, the names of its tiers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use admission::ids::DropId;
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
    /// By tier.
    pub tiers: HashMap<String, TierName>,
}

/// A tier of the event's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierName {
    pub name: String,
    /// Among the layout's tiers, from 0: what gives it its colour.
    pub position: usize,
}

/// The on-sale an event belongs to, as its fans need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DropSummary {
    pub drop_id: String,
    /// What fans read it called.
    pub title: String,
    /// scheduled, running, paused or ended, as of now.
    pub state: String,
    #[schema(required)]
    pub opens_at: Option<Timestamp>,
    /// Where to queue.
    pub queue: String,
}

/// Details of this process, at most a moment old; that an event is unknown is remembered for that moment only.
pub struct DetailsCache {
    by_event: Fresh<Uuid, Option<Arc<Details>>>,
}

impl DetailsCache {
    pub fn new(time_to_live: Duration) -> Self {
        Self { by_event: Fresh::keeping(time_to_live, |details: &Option<Arc<Details>>| details.is_some()) }
    }

    /// `None` when there is no such event.
    pub(crate) async fn of(&self, pool: &PgPool, event_id: Uuid) -> Result<Option<Arc<Details>>, LoadError> {
        self.by_event.get(event_id, load(pool, event_id)).await
    }
}

async fn load(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<Arc<Details>>> {
    let Some(event) = events::load(pool, &[event_id]).await?.pop() else { return Ok(None) };
    let drop = find_drop(pool, event_id).await?;
    let tiers = tier_names(pool, event_id).await?;
    Ok(Some(Arc::new(Details { event, drop, tiers })))
}

#[derive(sqlx::FromRow)]
pub(super) struct DropRow {
    drop_id: String,
    /// Empty where nobody gave one.
    title: String,
    /// As of now: a scheduled drop whose hour has come is running.
    state: String,
    opens_at: Option<pg::Timestamp>,
}

impl From<DropRow> for DropSummary {
    fn from(row: DropRow) -> Self {
        let readable = || DropId::parse(&row.drop_id).map_or_else(|| row.drop_id.clone(), |id| id.readable());
        Self {
            queue: format!("/queue/{}", row.drop_id),
            title: if row.title.is_empty() { readable() } else { row.title },
            drop_id: row.drop_id,
            state: row.state,
            opens_at: row.opens_at.map(pg::Timestamp::to_jiff),
        }
    }
}

async fn find_drop(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<DropSummary>> {
    let row: Option<DropRow> = sqlx::query_as(
        "SELECT d.drop_id, d.title, d.opens_at,
                CASE WHEN d.state = 'scheduled' AND d.opens_at <= now() THEN 'running' ELSE d.state END AS state
         FROM drop_events de JOIN drops d USING (drop_id) WHERE de.event_id = $1",
    )
    .bind(event_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(DropSummary::from))
}

/// Names of the layout's tiers, read inside Postgres: a stadium's body is megabytes.
async fn tier_names(pool: &PgPool, event_id: Uuid) -> sqlx::Result<HashMap<String, TierName>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.value->>'tier', t.value->>'name'
         FROM events e
         JOIN layouts l ON l.hash = e.layout_hash
         CROSS JOIN LATERAL json_array_elements(l.body::json->'tiers') WITH ORDINALITY AS t (value, position)
         WHERE e.event_id = $1
         ORDER BY t.position",
    )
    .bind(event_id)
    .fetch_all(pool)
    .await?;
    let named = |(position, (tier, name))| (tier, TierName { name, position });
    Ok(rows.into_iter().enumerate().map(named).collect())
}
