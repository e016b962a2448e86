//! A hall as a page lists it: zones, their rows, the seats of each; read once from the layout.

use std::{collections::HashMap, ops::Range, sync::Arc};

use moka::future::Cache;
use sqlx::PgPool;

use crate::{
    catalogue::{
        layout::{Layout, Seat},
        layout_bodies::LayoutBodies,
    },
    error::Error,
};

/// Halls kept at once; a stadium's takes some 15 MB.
const HALLS_MAX: u64 = 16;

pub(crate) struct Plan {
    pub(crate) layout: Layout,
    /// In the layout's order.
    pub(crate) zones: Vec<Zone>,
    /// Some seats are kept for wheelchairs and for who comes along.
    pub(crate) has_kept: bool,
    by_label: HashMap<String, u32>,
}

pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Tiers of its seats, as they appear.
    pub(crate) tiers: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) name: String,
    /// Neighbours, by their place in the layout.
    pub(crate) seats: Range<usize>,
}

impl Plan {
    fn new(layout: Layout) -> Self {
        let mut zones: Vec<Zone> = layout
            .zones
            .iter()
            .map(|zone| Zone { id: zone.zone.clone(), name: zone.name.clone(), tiers: Vec::new(), rows: Vec::new() })
            .collect();
        let places: HashMap<&str, usize> =
            layout.zones.iter().enumerate().map(|(place, zone)| (zone.zone.as_str(), place)).collect();
        for seats in layout.runs() {
            let first = &layout.seats[seats.start];
            let Some(zone) = places.get(first.zone.as_str()).and_then(|place| zones.get_mut(*place)) else { continue };
            for seat in &layout.seats[seats.clone()] {
                if !zone.tiers.contains(&seat.tier) {
                    zone.tiers.push(seat.tier.clone());
                }
            }
            zone.rows.push(Row { name: first.row.clone(), seats });
        }
        zones.retain(|zone| !zone.rows.is_empty());
        let labels = layout.seats.iter().zip(0_u32..);
        let by_label = labels.map(|(seat, ordinal)| (seat.seat.clone(), ordinal)).collect();
        let has_kept = layout.seats.iter().any(|seat| seat.access.is_some());
        Self { layout, zones, has_kept, by_label }
    }

    pub(crate) fn zone(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.id == id)
    }

    pub(crate) fn ordinal(&self, label: &str) -> Option<u32> {
        self.by_label.get(label).copied()
    }

    pub(crate) fn seat(&self, ordinal: u32) -> Option<&Seat> {
        self.layout.seats.get(ordinal as usize)
    }

    /// Where a seat is, in words: zone, row, number.
    pub(crate) fn describe(&self, label: &str) -> Option<(String, String, u32)> {
        let seat = self.seat(self.ordinal(label)?)?;
        let zone = self.zone(&seat.zone).map_or(&seat.zone, |zone| &zone.name);
        Some((zone.clone(), seat.row.clone(), seat.number))
    }
}

/// The halls of this process. They never change, so nothing expires.
pub(crate) struct Plans(Cache<String, Arc<Plan>>);

impl Plans {
    pub(crate) fn new() -> Self {
        Self(Cache::new(HALLS_MAX))
    }

    /// The hall behind a layout's path (`/layouts/<hash>`).
    ///
    /// # Errors
    /// `LayoutUnknown`, `Unavailable`
    pub(crate) async fn of(&self, pool: &PgPool, bodies: &LayoutBodies, path: &str) -> Result<Arc<Plan>, Error> {
        let hash = path.rsplit('/').next().unwrap_or_default();
        if let Some(plan) = self.0.get(hash).await {
            return Ok(plan);
        }
        let body = bodies.get(pool, hash).await?;
        let parsing = async {
            // a stadium takes a while, on a thread that nobody else waits for
            let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&body).map(Plan::new)).await;
            Ok(Arc::new(parsed??))
        };
        // once, however many ask for a hall that nobody has seen yet
        self.0
            .try_get_with_by_ref(hash, parsing)
            .await
            .map_err(|error: Arc<anyhow::Error>| Error::Internal(anyhow::anyhow!("{error:#}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_hold_their_rows_in_order() {
        let seat = |label: &str, zone: &str, row: &str, number: u32, tier: &str| serde_json::json!({ "seat": label, "zone": zone, "row": row, "number": number, "tier": tier, "x": 0, "y": 0 });
        let layout = serde_json::json!({
            "seats": [
                seat("A-1", "left", "A", 1, "dear"), seat("A-2", "left", "A", 2, "cheap"),
                seat("A-3", "right", "A", 3, "dear"), seat("B-1", "left", "B", 1, "cheap"),
            ],
            "tiers": [{ "tier": "dear", "name": "Dear" }, { "tier": "cheap", "name": "Cheap" }],
            "zones": [
                { "zone": "left", "name": "Left" }, { "zone": "empty", "name": "Empty" },
                { "zone": "right", "name": "Right" },
            ],
        });
        let plan = Plan::new(serde_json::from_value(layout).unwrap());
        let names: Vec<&str> = plan.zones.iter().map(|zone| zone.name.as_str()).collect();
        assert_eq!(names, ["Left", "Right"]);
        let left = plan.zone("left").unwrap();
        assert_eq!(left.tiers, ["dear", "cheap"]);
        let rows: Vec<_> = left.rows.iter().map(|row| (row.name.as_str(), row.seats.clone())).collect();
        assert_eq!(rows, [("A", 0..2), ("B", 3..4)]);
        assert_eq!(plan.describe("A-3"), Some(("Right".to_owned(), "A".to_owned(), 3)));
        assert_eq!(plan.describe("Z-9"), None);
    }
}
