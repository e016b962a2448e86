//! What a fan means to do, drawn before the evening begins.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

/// The share of fans who pick their seats on the map instead of taking the best available.
const CHOOSES_SEATS: f64 = 0.2;
/// The share whose first card is declined.
const DECLINED_FIRST: f64 = 0.05;
/// The share who refresh the page once while they wait: another join, which must find their place.
const REFRESHES: f64 = 0.1;
/// The share who ask for their status once after joining.
const ASKS_STATUS: f64 = 0.1;

/// More tickets than this in one booking are not asked for.
const QUANTITY_MAX: u32 = 50;

/// How many seats a fan wants: `2` or `1-4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quantity(pub RangeInclusive<u32>);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u32>().ok();
        match (number(least), number(most)) {
            (Some(least), Some(most)) if 1 <= least && least <= most && most <= QUANTITY_MAX => Ok(Self(least..=most)),
            _ => Err(format!("expected N or N-M with 1 ≤ N ≤ M ≤ {QUANTITY_MAX}, such as 1-4")),
        }
    }
}

/// One fan's intentions.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub number: u32,
    /// Counted from the start of the run.
    pub arrival: Duration,
    pub quantity: u32,
    /// Goes silent once the line before it has shrunk to this share of what it was at first; a fan
    /// called before that goes silent instead of claiming. `None` stays to the end.
    pub leaves_at: Option<f64>,
    pub chooses_seats: bool,
    pub declined_first: bool,
    pub refreshes: bool,
    pub asks_status: bool,
    /// Feeds the fan's own dice (jitter, choice of seats).
    pub seed: u64,
}

/// Draws the intentions of the whole crowd: the same seed, the same crowd.
pub(crate) fn draw(moments: &[Duration], leave: f64, quantity: &Quantity, seed: u64) -> Vec<Plan> {
    let mut rng = SmallRng::seed_from_u64(seed ^ 0x0fa0_5eed);
    (0_u32..)
        .zip(moments)
        .map(|(number, &arrival)| Plan {
            number,
            arrival,
            quantity: rng.random_range(quantity.0.clone()),
            leaves_at: rng.random_bool(leave).then(|| rng.random_range(0.0..1.0)),
            chooses_seats: rng.random_bool(CHOOSES_SEATS),
            declined_first: rng.random_bool(DECLINED_FIRST),
            refreshes: rng.random_bool(REFRESHES),
            asks_status: rng.random_bool(ASKS_STATUS),
            seed: rng.random(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_parsed() {
        assert_eq!("1-4".parse(), Ok(Quantity(1..=4)));
        assert_eq!("2".parse(), Ok(Quantity(2..=2)));
        for wrong in ["", "0", "0-2", "4-1", "1-500", "a-b"] {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_crowd() {
        let moments = vec![Duration::ZERO; 2000];
        let crowd = |seed| draw(&moments, 0.3, &Quantity(1..=4), seed);
        let leavers = |crowd: &[Plan]| crowd.iter().filter(|fan| fan.leaves_at.is_some()).count();
        assert_eq!(format!("{:?}", crowd(7)), format!("{:?}", crowd(7)));
        assert!((500..700).contains(&leavers(&crowd(7))));
        assert!(crowd(7).iter().all(|fan| (1..=4).contains(&fan.quantity)));
        assert_eq!(leavers(&draw(&moments, 0.0, &Quantity(1..=1), 1)), 0);
    }
}
