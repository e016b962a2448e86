//! The seat map's changing half: what state each seat is in, two bits a seat.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dashmap::DashMap;
use serde::Serialize;
use shared::encoding;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    error::Error,
    fresh::Fresh,
    seats::plan::{Plan, Row as PlanRow},
};

/// A seat's state, as its two bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    Available = 0,
    Held = 1,
    Sold = 2,
    NotForSale = 3,
}

/// What `GET /events/{event_id}/seats` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SeatMap)]
pub struct Snapshot {
    /// `<epoch>-<n>`: another epoch is another process' counting.
    pub version: String,
    /// Path of the layout; null for general admission.
    #[schema(required)]
    pub layout: Option<String>,
    /// Base64 (standard, padded) of two bits a seat in layout order, lowest bits first.
    pub statuses: String,
    pub counts: Counts,
    /// The same as `statuses`, not encoded.
    #[serde(skip)]
    pub(crate) packed: Vec<u8>,
    /// Counted by the first who asks, for all who are shown this snapshot.
    #[serde(skip)]
    left_by_zone: OnceLock<Vec<usize>>,
}

impl Snapshot {
    pub(in crate::seats) fn new(version: String, layout: Option<String>, packed: Vec<u8>, counts: Counts) -> Self {
        Self { version, layout, statuses: STANDARD.encode(&packed), counts, packed, left_by_zone: OnceLock::new() }
    }

    pub(crate) fn is_free(&self, ordinal: usize) -> bool {
        let byte = self.packed.get(ordinal / 4).copied().unwrap_or(u8::MAX);
        byte >> (ordinal % 4 * 2) & 0b11 == Status::Available as u8
    }

    /// Free seats of each zone of the hall, which is that of the snapshot's layout.
    pub(crate) fn left_by_zone(&self, plan: &Plan) -> &[usize] {
        self.left_by_zone.get_or_init(|| {
            let free = |row: &PlanRow| row.seats.clone().filter(|ordinal| self.is_free(*ordinal)).count();
            plan.zones.iter().map(|zone| zone.rows.iter().map(free).sum()).collect()
        })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SeatCounts)]
pub struct Counts {
    pub available: u32,
    pub held: u32,
    pub sold: u32,
    pub not_for_sale: u32,
}

/// Snapshots of this process, at most a moment old.
pub struct Snapshots {
    epoch: u32,
    by_event: Fresh<Uuid, Option<Arc<Snapshot>>>,
    /// The statuses each version stood for last.
    versions: DashMap<Uuid, (u64, [u8; 32])>,
}

impl Snapshots {
    pub fn new(time_to_live: Duration) -> Self {
        let epoch = u32::from_be_bytes(encoding::random::<4>());
        Self { epoch, by_event: Fresh::new(time_to_live), versions: DashMap::new() }
    }

    /// The seats of an event; `None` when there is no such event.
    pub async fn of(&self, pool: &PgPool, event_id: Uuid) -> Result<Option<Arc<Snapshot>>, Error> {
        let load = async {
            let row = load(pool, event_id).await?;
            Ok::<_, sqlx::Error>(row.map(|row| Arc::new(self.snapshot(event_id, row))))
        };
        Ok(self.by_event.get(event_id, load).await?)
    }

    fn snapshot(&self, event_id: Uuid, row: Row) -> Snapshot {
        let (packed, counts) = pack(row.statuses.as_bytes());
        let n = self.count_version(event_id, encoding::sha256(&[&packed]));
        let layout = row.layout_hash.map(|hash| format!("/layouts/{hash}"));
        Snapshot::new(format!("{}-{n}", self.epoch), layout, packed, counts)
    }

    /// One more for each change that was seen.
    fn count_version(&self, event_id: Uuid, digest: [u8; 32]) -> u64 {
        let mut version = self.versions.entry(event_id).or_insert((1, digest));
        if version.1 != digest {
            *version = (version.0 + 1, digest);
        }
        version.0
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    layout_hash: Option<String>,
    /// One digit a seat, in layout order.
    statuses: String,
}

async fn load(pool: &PgPool, event_id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "SELECT e.layout_hash, coalesce(s.statuses, '') AS statuses
         FROM events e
         LEFT JOIN LATERAL (
             SELECT string_agg(
                        CASE WHEN t.status = 'cancelled' THEN '3'
                             WHEN t.status = 'purchased' OR c.state = 'sold' THEN '2'
                             WHEN c.state = 'held' THEN '1'
                             ELSE '0' END,
                        '' ORDER BY t.ordinal) AS statuses
             FROM tickets t
             LEFT JOIN claims c ON c.ticket_id = t.ticket_id AND c.is_live
             WHERE t.event_id = e.event_id) s ON true
         WHERE e.event_id = $1",
    )
    .bind(event_id)
    .fetch_optional(pool)
    .await
}

/// Packs ASCII digits 0 to 3, four to a byte, the first in the lowest bits.
fn pack(digits: &[u8]) -> (Vec<u8>, Counts) {
    let mut counts = Counts::default();
    let mut packed = vec![0_u8; digits.len().div_ceil(4)];
    for (ordinal, digit) in digits.iter().enumerate() {
        let status = match digit {
            b'0' => Status::Available,
            b'1' => Status::Held,
            b'2' => Status::Sold,
            _ => Status::NotForSale,
        };
        let count = match status {
            Status::Available => &mut counts.available,
            Status::Held => &mut counts.held,
            Status::Sold => &mut counts.sold,
            Status::NotForSale => &mut counts.not_for_sale,
        };
        *count += 1;
        packed[ordinal / 4] |= (status as u8) << (ordinal % 4 * 2);
    }
    (packed, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_lowest_bits_first() {
        let (packed, counts) = pack(b"012301");
        assert_eq!(packed, [0b11_10_01_00, 0b01_00]);
        assert_eq!(counts, Counts { available: 2, held: 2, sold: 1, not_for_sale: 1 });
        assert!(pack(b"").0.is_empty());
    }

    #[test]
    fn a_version_counts_changes() {
        let snapshots = Snapshots::new(Duration::from_secs(1));
        let event = Uuid::nil();
        assert_eq!(snapshots.count_version(event, [0; 32]), 1);
        assert_eq!(snapshots.count_version(event, [0; 32]), 1);
        assert_eq!(snapshots.count_version(event, [1; 32]), 2);
        assert_eq!(snapshots.count_version(event, [0; 32]), 3);
    }
}
