//! What is on sale or will be: the events of drops, each with what its fans must know of the drop.

use std::{collections::HashMap, sync::Arc, time::Duration};

use admission::ids::DropId;
use jiff::civil;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    details::{DropRow, DropSummary},
    events::{self, Event},
};
use crate::fresh::{Fresh, LoadError};

/// Events listed at once, the next ones first.
const LISTED_MAX: i64 = 100;

/// An event that is sold in a drop.
#[derive(Debug, Clone, PartialEq)]
pub struct OnSale {
    pub event: Event,
    pub drop: DropSummary,
}

/// Lists of this process, at most a moment old.
pub struct OnSales {
    next: Fresh<(), Arc<Vec<OnSale>>>,
    by_drop: Fresh<DropId, Arc<Vec<OnSale>>>,
}

impl OnSales {
    pub fn new(time_to_live: Duration) -> Self {
        let next = Fresh::new(time_to_live);
        Self { next, by_drop: Fresh::keeping(time_to_live, |listed: &Arc<Vec<OnSale>>| !listed.is_empty()) }
    }

    /// Events from `day` on whose drop has not ended, in the order they take place.
    pub(crate) async fn from(&self, pool: &PgPool, day: civil::Date) -> Result<Arc<Vec<OnSale>>, LoadError> {
        self.next.get((), async { with_events(pool, next(pool, day).await?).await }).await
    }

    /// The events of a drop in the order they take place; none when there is no such drop.
    pub(crate) async fn of_drop(&self, pool: &PgPool, drop: &DropId) -> Result<Arc<Vec<OnSale>>, LoadError> {
        self.by_drop.get(drop.clone(), async { with_events(pool, of_drop(pool, drop).await?).await }).await
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    event_id: Uuid,
    #[sqlx(flatten)]
    drop: DropRow,
}

async fn next(pool: &PgPool, day: civil::Date) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT e.event_id, d.drop_id, d.title, d.opens_at,
                CASE WHEN d.state = 'scheduled' AND d.opens_at <= now() THEN 'running' ELSE d.state END AS state
         FROM drops d JOIN drop_events USING (drop_id) JOIN events e USING (event_id)
         WHERE d.state <> 'ended' AND e.date >= $1
         ORDER BY e.date, e.time, e.event_id LIMIT $2",
    )
    .bind(day.to_sqlx())
    .bind(LISTED_MAX)
    .fetch_all(pool)
    .await
}

async fn of_drop(pool: &PgPool, drop: &DropId) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT e.event_id, d.drop_id, d.title, d.opens_at,
                CASE WHEN d.state = 'scheduled' AND d.opens_at <= now() THEN 'running' ELSE d.state END AS state
         FROM drops d JOIN drop_events USING (drop_id) JOIN events e USING (event_id)
         WHERE d.drop_id = $1
         ORDER BY e.date, e.time, e.event_id LIMIT $2",
    )
    .bind(drop.as_str())
    .bind(LISTED_MAX)
    .fetch_all(pool)
    .await
}

async fn with_events(pool: &PgPool, rows: Vec<Row>) -> sqlx::Result<Arc<Vec<OnSale>>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id).collect();
    let loaded = events::load(pool, &ids).await?;
    let mut events: HashMap<Uuid, Event> = loaded.into_iter().map(|event| (event.event_id, event)).collect();
    let listed = rows
        .into_iter()
        .filter_map(|row| Some(OnSale { event: events.remove(&row.event_id)?, drop: row.drop.into() }))
        .collect();
    Ok(Arc::new(listed))
}
