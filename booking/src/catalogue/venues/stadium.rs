//! A stadium of 40,000 seats that stands nowhere: two rings of straight blocks on ellipses
//! around a field, for on-sales at scale.

use std::f64::consts::TAU;

use super::NewVenue;
use crate::catalogue::layout::{Access, Layout, Seat, Tier, Zone};

/// Metres between neighbours and between rows.
const PITCH_M: f64 = 0.5;
const ROW_M: f64 = 0.8;

struct Ring {
    prefix: &'static str,
    name: &'static str,
    blocks: u32,
    rows: u32,
    seats_per_row: u32,
    /// Half axes of the ellipse the first rows stand on, in metres.
    half_axes: (f64, f64),
}

/// 32 × 25 × 20 + 40 × 30 × 20 = 40,000
const RINGS: [Ring; 2] = [
    Ring { prefix: "L", name: "Lower", blocks: 32, rows: 25, seats_per_row: 20, half_axes: (66.0, 46.0) },
    Ring { prefix: "U", name: "Upper", blocks: 40, rows: 30, seats_per_row: 20, half_axes: (90.0, 70.0) },
];

/// Tier, name, list price in cents.
const TIERS: [(&str, &str, i64); 4] = [
    ("sideline", "Lower ring, sideline", 24_000),
    ("lower", "Lower ring", 15_000),
    ("upper-sideline", "Upper ring, sideline", 9_500),
    ("upper", "Upper ring", 5_500),
];

pub(super) fn venue() -> NewVenue {
    let mut seats = Vec::with_capacity(40_000);
    let mut zones = Vec::new();
    for (index, ring) in RINGS.iter().enumerate() {
        for block in 0..ring.blocks {
            let zone = format!("{}{:02}", ring.prefix, block + 1);
            add_block(&mut seats, ring, index, block, &zone);
            zones.push(Zone { name: format!("{} ring, block {}", ring.name, block + 1), zone });
        }
    }
    let tiers =
        TIERS.map(|(tier, name, price)| Tier { tier: tier.to_owned(), name: name.to_owned(), list_price: Some(price) });
    NewVenue {
        slug: "stadium".to_owned(),
        name: "The Stadium".to_owned(),
        address: "1 Stadium Way".to_owned(),
        city: "Springfield".to_owned(),
        timezone: "America/New_York".to_owned(),
        layout: Layout { seats, tiers: tiers.to_vec(), zones },
    }
}

fn add_block(seats: &mut Vec<Seat>, ring: &Ring, ring_index: usize, block: u32, zone: &str) {
    let (a, b) = ring.half_axes;
    let angle = angle_at((f64::from(block) + 0.5) / f64::from(ring.blocks), a, b);
    let (x, y) = (a * angle.cos(), b * angle.sin());
    // the outward normal of the ellipse, and the direction along its edge
    let (nx, ny) = (x / (a * a), y / (b * b));
    let norm = nx.hypot(ny);
    let (nx, ny) = (nx / norm, ny / norm);
    let (tx, ty) = (-ny, nx);

    // the long sides of the field are at the top and the bottom
    let sideline = ny.abs() > 0.9;
    let tier = TIERS[ring_index * 2 + usize::from(!sideline)].0;
    // where the gangways are: behind the lower ring, before the upper one
    let accessible = if ring_index == 0 { ring.rows - 1 } else { 0 };
    for row in 0..ring.rows {
        for number in 0..ring.seats_per_row {
            let along = (f64::from(number) - f64::from(ring.seats_per_row - 1) / 2.0) * PITCH_M;
            let out = f64::from(row) * ROW_M;
            seats.push(Seat {
                seat: format!("{zone}-{:02}-{}", row + 1, number + 1),
                zone: zone.to_owned(),
                row: format!("{:02}", row + 1),
                number: number + 1,
                tier: tier.to_owned(),
                x: x + tx * along + nx * out,
                y: y + ty * along + ny * out,
                access: (row == accessible).then(|| access(ring, number)).flatten(),
            });
        }
    }
}

/// Two spaces for wheelchairs at both ends of a row, each with a companion's seat beside it: 288 in all. A stadium of
/// this size needs 211 (2010 ADA Standards for Accessible Design, 221.2.1.1).
fn access(ring: &Ring, number: u32) -> Option<Access> {
    let from_end = number.min(ring.seats_per_row - 1 - number);
    match from_end {
        0 | 2 => Some(Access::Wheelchair),
        1 | 3 => Some(Access::Companion),
        _ => None,
    }
}

/// The angle at which `share` of the ellipse's edge lies behind, by walking it in small steps:
/// blocks at equal angles would crowd at the ends.
fn angle_at(share: f64, a: f64, b: f64) -> f64 {
    const STEPS: u32 = 2_000;
    let step = TAU / f64::from(STEPS);
    let speed = |index: u32| {
        let angle = (f64::from(index) + 0.5) * step;
        (a * angle.sin()).hypot(b * angle.cos())
    };
    let total: f64 = (0..STEPS).map(speed).sum();
    let mut walked = 0.0;
    for index in 0..STEPS {
        walked += speed(index);
        if walked >= share * total {
            return (f64::from(index) + 0.5) * step;
        }
    }
    TAU
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_forty_thousand_in_every_tier() {
        let layout = venue().layout.canonical().expect("a valid layout").layout;
        assert_eq!(layout.seats.len(), 40_000);
        for (tier, _, _) in TIERS {
            assert!(layout.seats.iter().any(|seat| seat.tier == tier), "nobody sits in {tier}");
        }
        let count = |access| layout.seats.iter().filter(|seat| seat.access == Some(access)).count();
        assert_eq!((count(Access::Wheelchair), count(Access::Companion)), (288, 288));
    }

    #[test]
    fn blocks_do_not_overlap() {
        let layout = venue().layout;
        let mut spots: Vec<(f64, f64)> = layout.seats.iter().map(|seat| (seat.x, seat.y)).collect();
        spots.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (index, a) in spots.iter().enumerate() {
            for b in spots[index + 1..].iter().take_while(|b| b.0 - a.0 < 0.4) {
                assert!((a.0 - b.0).hypot(a.1 - b.1) > 0.4, "{a:?} and {b:?} are too close");
            }
        }
    }
}
