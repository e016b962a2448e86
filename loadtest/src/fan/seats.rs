//! Choosing seats on the map.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rand::{Rng, RngExt as _};
use uuid::Uuid;

use super::Fan;
use crate::{
    http::Call,
    protocol::{Layout, Snapshot},
    record::{Ending, Kind},
};

/// Two bits of a seat that say it is available.
const AVAILABLE: u8 = 0;

impl Fan {
    /// Looks at the map and picks `quantity` free seats, side by side where it finds them. `None`
    /// when there is no map or too few seats: the fan then takes the best available.
    pub(super) async fn choose(&mut self, event: Uuid, quantity: u32) -> Result<Option<Vec<String>>, Ending> {
        let call = Call::get(format!("/events/{event}/seats"));
        let answer = self.call(Kind::Seats, &call).await?;
        let Ok(snapshot) = answer.read::<Snapshot>() else {
            return Ok(None);
        };
        let Ok(statuses) = BASE64_STANDARD.decode(&snapshot.statuses) else {
            return Ok(None);
        };
        let slot = self.crowd.layouts.slot(&snapshot.layout);
        let layout = slot
            .get_or_try_init(async || {
                let answer = self.call(Kind::Seats, &Call::get(&snapshot.layout)).await;
                answer.ok().and_then(|answer| answer.read::<Layout>().ok()).ok_or(())
            })
            .await;
        let Ok(layout) = layout else {
            return Ok(None);
        };
        let picked = pick(&statuses, layout.seats.len(), quantity as usize, &mut self.rng);
        Ok(picked.map(|picked| picked.into_iter().map(|ordinal| layout.seats[ordinal].seat.clone()).collect()))
    }
}

/// `quantity` free seats that follow each other in the layout, from a random place onwards; any
/// free ones when no such run is left.
fn pick(statuses: &[u8], seats: usize, quantity: usize, rng: &mut impl Rng) -> Option<Vec<usize>> {
    let free: Vec<usize> = (0..seats.min(statuses.len() * 4))
        .filter(|seat| statuses[seat / 4] >> (seat % 4 * 2) & 0b11 == AVAILABLE)
        .collect();
    if quantity == 0 || free.len() < quantity {
        return None;
    }
    let windows = free.len() - quantity + 1;
    let start = rng.random_range(0..windows);
    (0..windows)
        .map(|step| &free[(start + step) % windows..][..quantity])
        .find(|run| run[quantity - 1] - run[0] == quantity - 1)
        .or_else(|| free.get(start..start + quantity))
        .map(<[usize]>::to_vec)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    #[test]
    fn free_neighbours_are_preferred() {
        let mut rng = SmallRng::seed_from_u64(3);
        // seats 0..8: 0 held, 1 free, 2 sold, 3 not for sale | 4, 5, 6 free, 7 held
        let statuses = [0b11_10_00_01, 0b01_00_00_00];
        for _ in 0..20 {
            let two = pick(&statuses, 8, 2, &mut rng).unwrap();
            assert!(two == [4, 5] || two == [5, 6], "{two:?}");
        }
        assert_eq!(pick(&statuses, 8, 4, &mut rng), Some(vec![1, 4, 5, 6]));
        assert_eq!(pick(&statuses, 8, 5, &mut rng), None);
        assert_eq!(pick(&statuses, 4, 1, &mut rng), Some(vec![1]));
    }
}
