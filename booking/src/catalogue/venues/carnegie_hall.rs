//! Carnegie Hall's Stern Auditorium, made from its published seat counts: parquet 1,021,
//! first tier 264, second tier 238, dress circle 444, balcony 837; 2,804 in all.
//!
//! Rows, numbers and coordinates are ours. The levels hang above each other in the real
//! hall; here each is moved outwards far enough that a flat drawing shows them all: the
//! parquet before the stage, two horseshoes of boxes around it, two fans of rows behind.

use std::f64::consts::PI;

use super::NewVenue;
use crate::catalogue::layout::{Access, Layout, Seat, Tier, Zone};

/// Metres between neighbours, between rows, and across an aisle.
const PITCH_M: f64 = 0.55;
const ROW_M: f64 = 0.95;
const AISLE_M: f64 = 1.2;

/// Level, displayed name, label prefix, list price in cents.
const LEVELS: [(&str, &str, &str, i64); 5] = [
    ("parquet", "Parquet", "PAR", 16_500),
    ("first-tier", "First tier", "FT", 19_500),
    ("second-tier", "Second tier", "ST", 12_500),
    ("dress-circle", "Dress circle", "DC", 7_500),
    ("balcony", "Balcony", "BAL", 4_500),
];

/// Level and row where wheelchairs find room: behind the parquet and the circle, before the balcony.
const ACCESSIBLE_ROWS: [(usize, &str); 4] = [(0, "Z"), (0, "AA"), (3, "F"), (4, "A")];

const SIDES: [(&str, &str); 3] = [("left", "left"), ("centre", "centre"), ("right", "right")];

pub(super) fn venue() -> NewVenue {
    let mut seats = Vec::with_capacity(2_804);
    parquet(&mut seats);
    // 33 boxes of 8, 34 boxes of 7
    boxes(&mut seats, 1, 33, 8, 18.0);
    boxes(&mut seats, 2, 34, 7, 21.0);
    // arcs around the back of the horseshoe: 6 rows of 69 to 79 seats, 9 of 85 to 101
    arcs(&mut seats, 3, &[69, 71, 73, 75, 77, 79], 26, 24.0);
    arcs(&mut seats, 4, &[85, 87, 89, 91, 93, 95, 97, 99, 101], 33, 31.5);

    for (level, row) in ACCESSIBLE_ROWS {
        keep_for_wheelchairs(&mut seats, LEVELS[level].0, row);
    }

    let tiers = LEVELS.map(|(tier, name, _, price)| Tier {
        tier: tier.to_owned(),
        name: name.to_owned(),
        list_price: Some(price),
    });
    let zones = LEVELS.iter().flat_map(|(level, name, _, _)| {
        SIDES.map(|(side, side_name)| Zone { zone: format!("{level}-{side}"), name: format!("{name}, {side_name}") })
    });
    NewVenue {
        slug: "carnegie-hall".to_owned(),
        name: "Carnegie Hall".to_owned(),
        address: "881 7th Avenue, New York, NY 10019".to_owned(),
        city: "New York".to_owned(),
        timezone: "America/New_York".to_owned(),
        layout: Layout { seats, tiers: tiers.to_vec(), zones: zones.collect() },
    }
}

/// 25 rows, 29 seats in the first and one more in each behind; the last gives up four to the doors.
fn parquet(seats: &mut Vec<Seat>) {
    const CENTRE: u32 = 14;
    for index in 0..25_u32 {
        let width = if index == 24 { 49 } else { 29 + index };
        // the arcs are drawn around a point ten metres upstage
        let radius = 14.0 + f64::from(index) * ROW_M;
        row(seats, 0, &row_name(index), width, CENTRE, |along| {
            let angle = along / radius;
            (radius * angle.sin(), radius * angle.cos() - 10.0)
        });
    }
}

/// A space for a wheelchair at both ends of each part of the row, on an aisle, and a companion's seat beside it: 24
/// of each in all. A hall of this size needs 22 spaces (2010 ADA Standards for Accessible Design, 221.2.1.1).
fn keep_for_wheelchairs(seats: &mut [Seat], tier: &str, row: &str) {
    let is_there = |seat: &Seat| seat.tier == tier && seat.row == row;
    for part in seats.chunk_by_mut(|one, next| one.zone == next.zone && one.row == next.row) {
        if let [first, second, .., last_but_one, last] = part
            && is_there(first)
        {
            first.access = Some(Access::Wheelchair);
            second.access = Some(Access::Companion);
            last_but_one.access = Some(Access::Companion);
            last.access = Some(Access::Wheelchair);
        }
    }
}

/// Fans of rows around the middle of the horseshoe.
fn arcs(seats: &mut Vec<Seat>, level: usize, widths: &[u32], centre: u32, radius_first: f64) {
    for (index, width) in (0_u32..).zip(widths) {
        let radius = radius_first + f64::from(index) * ROW_M;
        row(seats, level, &row_name(index), *width, centre, |along| {
            let angle = along / radius;
            (radius * angle.sin(), 16.0 + radius * angle.cos())
        });
    }
}

/// One row from left to right, with an aisle on each side of the centre. Numbers begin at
/// 1 on the left, at 101 in the centre, at 201 on the right: neighbours count on.
fn row(seats: &mut Vec<Seat>, level: usize, name: &str, width: u32, centre: u32, place: impl Fn(f64) -> (f64, f64)) {
    let left = (width - centre) / 2;
    let length = f64::from(width - 1) * PITCH_M + 2.0 * AISLE_M;
    let mut along = -length / 2.0;
    for (side, (first, count)) in [(1, left), (101, centre), (201, width - centre - left)].into_iter().enumerate() {
        for number in first..first + count {
            let (x, y) = place(along);
            seats.push(seat(level, side, name, number, x, y));
            along += PITCH_M;
        }
        along += AISLE_M;
    }
}

/// A horseshoe of boxes from the left of the stage around the back to its right. A box is a
/// row of its own: its seats stand in two short lines.
fn boxes(seats: &mut Vec<Seat>, level: usize, count: u32, size: u32, half_width: f64) {
    const FRONT_M: f64 = 4.0;
    const STRAIGHT_M: f64 = 12.0;
    let length = 2.0 * STRAIGHT_M + PI * half_width;
    let front = size.div_ceil(2);
    for number in 0..count {
        let middle = (f64::from(number) + 0.5) / f64::from(count) * length;
        for index in 0..size {
            let (line, column, columns) =
                if index < front { (0, index, front) } else { (1, index - front, size - front) };
            let along = middle + (f64::from(column) - f64::from(columns - 1) / 2.0) * PITCH_M;
            let out = f64::from(line) * ROW_M;
            let (x, y) = horseshoe(along, length, half_width, out, FRONT_M, STRAIGHT_M);
            let side = (number * 3 / count) as usize;
            seats.push(seat(level, side, &format!("{:02}", number + 1), index + 1, x, y));
        }
    }
}

/// The point `along` metres down a U of two straights and a half circle, `out` metres outside of it.
fn horseshoe(along: f64, length: f64, half_width: f64, out: f64, front: f64, straight: f64) -> (f64, f64) {
    if along < straight {
        return (-half_width - out, front + along);
    }
    if along > length - straight {
        return (half_width + out, front + length - along);
    }
    let angle = (along - straight) / half_width;
    let radius = half_width + out;
    (-radius * angle.cos(), front + straight + radius * angle.sin())
}

fn seat(level: usize, side: usize, row: &str, number: u32, x: f64, y: f64) -> Seat {
    let (tier, _, prefix, _) = LEVELS[level];
    Seat {
        seat: format!("{prefix}-{row}-{number}"),
        zone: format!("{tier}-{}", SIDES[side].0),
        row: row.to_owned(),
        number,
        tier: tier.to_owned(),
        x,
        y,
        access: None,
    }
}

/// A, B, … without I and O, which read like digits; after Z comes AA.
fn row_name(index: u32) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let letter = char::from(LETTERS[index as usize % LETTERS.len()]);
    let times = index as usize / LETTERS.len() + 1;
    letter.to_string().repeat(times)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn has_the_published_seat_counts() {
        let layout = venue().layout.canonical().expect("a valid layout").layout;
        let mut by_tier: HashMap<&str, u32> = HashMap::new();
        for seat in &layout.seats {
            *by_tier.entry(seat.tier.as_str()).or_default() += 1;
        }
        let expected =
            [("parquet", 1_021), ("first-tier", 264), ("second-tier", 238), ("dress-circle", 444), ("balcony", 837)];
        assert_eq!(by_tier, HashMap::from(expected));
        assert_eq!(layout.seats.len(), 2_804);
        assert!(layout.seats.iter().any(|seat| seat.seat == "PAR-A-101"));
    }

    #[test]
    fn every_wheelchair_has_a_companion_beside_it() {
        let layout = venue().layout;
        let count = |access| layout.seats.iter().filter(|seat| seat.access == Some(access)).count();
        assert_eq!((count(Access::Wheelchair), count(Access::Companion)), (24, 24));
        for run in layout.runs() {
            for pair in layout.seats[run].windows(2) {
                let of = |access| pair.iter().any(|seat| seat.access == Some(access));
                assert_eq!(
                    of(Access::Wheelchair) && pair.iter().all(|seat| seat.access.is_some()),
                    of(Access::Wheelchair),
                    "{pair:?}"
                );
            }
        }
    }

    #[test]
    fn no_two_seats_share_a_spot_and_the_hall_is_symmetric() {
        let layout = venue().layout;
        // half a metre apart or more: sorted by x, only near ones need comparing
        let mut spots: Vec<(f64, f64)> = layout.seats.iter().map(|seat| (seat.x, seat.y)).collect();
        spots.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (index, a) in spots.iter().enumerate() {
            for b in spots[index + 1..].iter().take_while(|b| b.0 - a.0 < 0.5) {
                assert!((a.0 - b.0).hypot(a.1 - b.1) > 0.5, "{a:?} and {b:?} are too close");
            }
        }
        let sum: f64 = layout.seats.iter().map(|seat| seat.x).sum();
        assert!((sum / 2_804.0).abs() < 0.05, "leans by {sum}");
    }
}
