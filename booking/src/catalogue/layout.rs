//! A hall's seats: what may stand in a layout, its canonical bytes, and its home in Postgres.
//!
//! A layout never changes. It is named by the hash of its canonical body, served under
//! that name for ever, and the seats of an event point into it by their order (ordinal).

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use shared::encoding;
use sqlx::{PgPool, Postgres, Transaction};

/// Seats in one layout.
pub const SEATS_MAX: usize = 200_000;
/// Price tiers in one layout.
pub const TIERS_MAX: usize = 64;
/// Zones in one layout.
pub const ZONES_MAX: usize = 1_000;
/// Characters in a label, tier, zone or row.
pub const LABEL_CHARS_MAX: usize = 40;
/// Characters in a displayed name.
pub const NAME_CHARS_MAX: usize = 100;
/// Coordinates lie within ± this many metres.
pub const COORDINATE_M_MAX: f64 = 10_000.0;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// In an order where neighbours follow each other.
    pub seats: Vec<Seat>,
    pub tiers: Vec<Tier>,
    pub zones: Vec<Zone>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The label used everywhere: on the map, in requests, on the ticket.
    pub seat: String,
    pub zone: String,
    pub row: String,
    pub number: u32,
    pub tier: String,
    /// Metres to the right of the middle of the stage, seen from the audience.
    pub x: f64,
    /// Metres away from the edge of the stage.
    pub y: f64,
    /// For whom the seat is kept; absent for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

/// Seats that are sold only to those who need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// A space for a wheelchair.
    Wheelchair,
    /// Beside one, for who comes along.
    Companion,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LayoutTier)]
pub struct Tier {
    pub tier: String,
    pub name: String,
    /// Minor units an event asks that does not name its own price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_price: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub zone: String,
    pub name: String,
}

#[derive(Debug, thiserror::Error, PartialEq)]
pub enum LayoutError {
    #[error("not a layout: {0}")]
    Syntax(String),
    #[error("a layout has 1 to {SEATS_MAX} seats, not {0}")]
    Seats(usize),
    #[error("a layout has 1 to {max} {what}, not {count}")]
    Count { what: &'static str, max: usize, count: usize },
    #[error("{what} {value:?} is not 1 to {max} printable characters")]
    Text { what: &'static str, value: String, max: usize },
    #[error("{what} {value:?} stands there twice")]
    Twice { what: &'static str, value: String },
    #[error("seat {seat:?} is in the {what} {value:?}, which the layout does not list")]
    Unlisted { seat: String, what: &'static str, value: String },
    #[error("seat {0:?} lies more than {COORDINATE_M_MAX} m away")]
    Coordinates(String),
    #[error("tier {tier:?} cannot cost {price}")]
    Price { tier: String, price: i64 },
}

/// A checked layout with its canonical bytes and their name.
#[derive(Debug, Clone)]
pub struct Canonical {
    pub layout: Layout,
    pub body: String,
    /// First 32 hex digits of the SHA-256 of `body`.
    pub hash: String,
}

impl Layout {
    pub fn parse(json: &str) -> Result<Self, LayoutError> {
        serde_json::from_str(json).map_err(|error| LayoutError::Syntax(error.to_string()))
    }

    /// Checks everything and fixes the bytes. Coordinates are rounded to centimetres.
    pub fn canonical(mut self) -> Result<Canonical, LayoutError> {
        self.check()?;
        for seat in &mut self.seats {
            seat.x = centimetres(seat.x);
            seat.y = centimetres(seat.y);
        }
        let body = serde_json::to_string(&self).map_err(|error| LayoutError::Syntax(error.to_string()))?;
        let mut hash = encoding::hex(&encoding::sha256(&[body.as_bytes()]));
        hash.truncate(32);
        Ok(Canonical { layout: self, body, hash })
    }

    /// Runs of ordinals that sit next to each other: consecutive seats of one zone and row.
    /// An aisle therefore needs a zone of its own on each side.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut start = 0;
        for end in 1..=self.seats.len() {
            let goes_on = self
                .seats
                .get(end)
                .is_some_and(|seat| seat.zone == self.seats[start].zone && seat.row == self.seats[start].row);
            if !goes_on {
                runs.push(start..end);
                start = end;
            }
        }
        runs
    }

    fn check(&self) -> Result<(), LayoutError> {
        if self.seats.is_empty() || self.seats.len() > SEATS_MAX {
            return Err(LayoutError::Seats(self.seats.len()));
        }
        let tiers = listed("tiers", TIERS_MAX, self.tiers.iter().map(|tier| (&tier.tier, &tier.name)))?;
        let zones = listed("zones", ZONES_MAX, self.zones.iter().map(|zone| (&zone.zone, &zone.name)))?;
        for tier in &self.tiers {
            if let Some(price) = tier.list_price.filter(|price| !(1..=super::create::PRICE_MAX).contains(price)) {
                return Err(LayoutError::Price { tier: tier.tier.clone(), price });
            }
        }
        let mut labels = HashSet::with_capacity(self.seats.len());
        let mut positions = HashMap::with_capacity(self.seats.len());
        for seat in &self.seats {
            text("seat", &seat.seat, LABEL_CHARS_MAX)?;
            text("row", &seat.row, LABEL_CHARS_MAX)?;
            for (what, list, value) in [("tier", &tiers, &seat.tier), ("zone", &zones, &seat.zone)] {
                if !list.contains(value.as_str()) {
                    return Err(LayoutError::Unlisted { seat: seat.seat.clone(), what, value: value.clone() });
                }
            }
            if !labels.insert(seat.seat.as_str()) {
                return Err(LayoutError::Twice { what: "seat", value: seat.seat.clone() });
            }
            if positions.insert((&seat.zone, &seat.row, seat.number), ()).is_some() {
                let value = format!("{} {} {}", seat.zone, seat.row, seat.number);
                return Err(LayoutError::Twice { what: "position", value });
            }
            // written so that NaN is refused too
            if !(seat.x.abs() <= COORDINATE_M_MAX && seat.y.abs() <= COORDINATE_M_MAX) {
                return Err(LayoutError::Coordinates(seat.seat.clone()));
            }
        }
        Ok(())
    }
}

/// Stores a layout; the same one again is the same row.
pub async fn store(tx: &mut Transaction<'_, Postgres>, canonical: &Canonical) -> sqlx::Result<()> {
    let seats = i32::try_from(canonical.layout.seats.len()).unwrap_or(i32::MAX);
    sqlx::query("INSERT INTO layouts (hash, seats, body) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING")
        .bind(&canonical.hash)
        .bind(seats)
        .bind(&canonical.body)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The canonical body of a layout.
pub async fn body(pool: &PgPool, hash: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT body FROM layouts WHERE hash = $1").bind(hash).fetch_optional(pool).await
}

/// The layout itself. A stored body that cannot be read is a decode error.
pub async fn load(pool: &PgPool, hash: &str) -> sqlx::Result<Option<Layout>> {
    let Some(body) = body(pool, hash).await? else { return Ok(None) };
    serde_json::from_str(&body).map(Some).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn listed<'a>(
    what: &'static str,
    max: usize,
    rows: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> Result<HashSet<&'a str>, LayoutError> {
    let count = rows.len();
    if count == 0 || count > max {
        return Err(LayoutError::Count { what, max, count });
    }
    let mut ids = HashSet::with_capacity(count);
    for (id, name) in rows {
        text(what, id, LABEL_CHARS_MAX)?;
        text(what, name, NAME_CHARS_MAX)?;
        if !ids.insert(id.as_str()) {
            return Err(LayoutError::Twice { what, value: id.clone() });
        }
    }
    Ok(ids)
}

fn text(what: &'static str, value: &str, max: usize) -> Result<(), LayoutError> {
    let trimmed = value.trim() == value && !value.is_empty();
    if trimmed && value.chars().count() <= max && !value.chars().any(char::is_control) {
        return Ok(());
    }
    Err(LayoutError::Text { what, value: value.chars().take(max).collect(), max })
}

fn centimetres(metres: f64) -> f64 {
    // adding zero turns -0.0 into 0.0: one value, one spelling
    (metres * 100.0).round() / 100.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(label: &str, number: u32) -> Seat {
        let (zone, row, tier) = ("hall".to_owned(), "A".to_owned(), "standard".to_owned());
        Seat { seat: label.to_owned(), zone, row, number, tier, x: 0.123, y: -0.001, access: None }
    }

    fn layout(seats: Vec<Seat>) -> Layout {
        Layout {
            seats,
            tiers: vec![Tier { tier: "standard".into(), name: "Standard".into(), list_price: None }],
            zones: vec![Zone { zone: "hall".into(), name: "Hall".into() }],
        }
    }

    #[test]
    fn canonical_bytes_are_stable() {
        let canonical = layout(vec![seat("A-1", 1)]).canonical().unwrap();
        assert_eq!(canonical.hash.len(), 32);
        assert!(canonical.body.contains(r#""x":0.12,"y":0.0"#), "{}", canonical.body);
        assert!(!canonical.body.contains("access"), "a layout from before keeps its name");
        let again = Layout::parse(&canonical.body).unwrap().canonical().unwrap();
        assert_eq!((again.hash, again.body), (canonical.hash, canonical.body));
    }

    #[test]
    fn refuses_what_makes_no_hall() {
        let refused = |layout: Layout| layout.canonical().unwrap_err();
        assert_eq!(refused(layout(vec![])), LayoutError::Seats(0));
        let twice = LayoutError::Twice { what: "seat", value: "A-1".into() };
        assert_eq!(refused(layout(vec![seat("A-1", 1), seat("A-1", 2)])), twice);
        assert!(matches!(
            refused(layout(vec![seat("A-1", 1), seat("A-2", 1)])),
            LayoutError::Twice { what: "position", .. }
        ));
        let elsewhere = Seat { zone: "roof".into(), ..seat("A-1", 1) };
        assert!(matches!(refused(layout(vec![elsewhere])), LayoutError::Unlisted { what: "zone", .. }));
        let nowhere = Seat { x: f64::NAN, ..seat("A-1", 1) };
        assert!(matches!(refused(layout(vec![nowhere])), LayoutError::Coordinates(_)));
        assert!(matches!(refused(layout(vec![seat(" ", 1)])), LayoutError::Text { .. }));
        for price in [-1, 0, i64::MAX] {
            let mut unpayable = layout(vec![seat("A-1", 1)]);
            unpayable.tiers[0].list_price = Some(price);
            assert!(matches!(refused(unpayable), LayoutError::Price { .. }), "{price}");
        }
        assert!(matches!(Layout::parse(r#"{"seats":[],"tiers":[],"zones":[],"more":1}"#), Err(LayoutError::Syntax(_))));
    }

    #[test]
    fn protected_seats_say_for_whom() {
        let mut protected = seat("A-1", 1);
        protected.access = Some(Access::Wheelchair);
        let body = layout(vec![protected]).canonical().unwrap().body;
        assert!(body.contains(r#""access":"wheelchair""#), "{body}");
        assert!(Layout::parse(&body.replace("wheelchair", "vip")).is_err());
    }

    #[test]
    fn runs_end_with_the_row() {
        let second = |label: &str, number| Seat { row: "B".into(), ..seat(label, number) };
        let hall = layout(vec![seat("A-1", 1), seat("A-2", 2), second("B-1", 1)]);
        assert_eq!(hall.runs(), vec![0..2, 2..3]);
        assert_eq!(layout(vec![]).runs(), Vec::<Range<usize>>::new());
    }
}
