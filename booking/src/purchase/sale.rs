//! Whether and how an event is on sale.

use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::fees::{self, FeeRule};
use crate::error::{Error, Result};

#[derive(Debug, FromRow)]
struct Row {
    currency: String,
    drop_id: Option<String>,
    max_per_fan: Option<i32>,
}

/// An event in a drop.
#[derive(Debug)]
pub struct Sale {
    pub(crate) drop_id: String,
    /// ISO 4217.
    pub(crate) currency: String,
    /// Tickets an account may have in the drop.
    pub(crate) max_per_fan: i32,
    /// What is charged on top of the tickets.
    pub(crate) fees: Vec<FeeRule>,
}

/// Whatever the drop's state: a paused or ended one admits nobody, and still serves those it has admitted until
/// their tokens end.
///
/// # Errors
/// `EventUnknown`, `NotOnSale`
pub async fn of_event(pool: &PgPool, event_id: Uuid) -> Result<Sale> {
    let row: Row = sqlx::query_as(
        "SELECT e.currency, d.drop_id, d.max_per_fan
         FROM events e LEFT JOIN drop_events USING (event_id) LEFT JOIN drops d USING (drop_id)
         WHERE e.event_id = $1",
    )
    .bind(event_id)
    .fetch_optional(pool)
    .await?
    .ok_or(Error::EventUnknown)?;
    match (row.drop_id, row.max_per_fan) {
        (Some(drop_id), Some(max_per_fan)) => {
            let fees = fees::rules_of(pool, event_id).await?;
            Ok(Sale { drop_id, currency: row.currency, max_per_fan, fees })
        }
        _ => Err(Error::NotOnSale),
    }
}
