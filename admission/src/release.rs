//! The release loop: draws the lobby of a drop that has opened, then grants and calls, drop by drop.
//! Any number of processes may run it; each step is atomic in Redis.

use std::collections::HashMap;

use metrics::{counter, gauge};

use crate::{
    draw::drawn_key,
    drops::Drop,
    ids::DropId,
    line::{DropState, Line, LineError, Released},
    pace,
};

/// Places drawn in one call.
const DRAW_MAX: usize = 1_000;
/// Calls of the draw in one step: up to 100,000 places, then the other drops have their turn.
const DRAW_CALLS_MAX: usize = 100;

/// What a step needs to know from the step before.
#[derive(Debug, Default)]
pub struct Releaser {
    seen: HashMap<DropId, (DropState, Released)>,
}

impl Releaser {
    /// One step for one drop.
    pub async fn release(&mut self, line: &Line, drop: &Drop) -> Result<Released, LineError> {
        let (rate, reaction_us, lobby) = match self.seen.get(&drop.id) {
            Some((state, last)) => (state.rate_per_minute, last.reaction_us, last.lobby),
            None => (drop.settings.rate_per_minute.unsigned_abs().into(), 0, 1),
        };
        if lobby > 0 {
            draw_lobby(line, drop, self.seen.get(&drop.id).map(|(state, _)| state)).await?;
        }
        let (state, released) = line.release(&drop.id, pace::level(rate, reaction_us)).await?;
        record(&drop.id, &released);
        self.seen.insert(drop.id.clone(), (state, released));
        Ok(released)
    }

    /// Forgets drops that are no longer live.
    pub fn keep_only(&mut self, live: &[Drop]) {
        self.seen.retain(|id, _| live.iter().any(|drop| drop.id == *id));
    }
}

/// Moves the lobby into the line at its drawn keys, once the drop is open.
async fn draw_lobby(line: &Line, drop: &Drop, last: Option<&DropState>) -> Result<(), LineError> {
    let Some(state) = last.filter(|state| state.is_open()) else {
        return Ok(());
    };
    let Some(opens_at) = state.opens_at else {
        return Ok(());
    };
    for _ in 0..DRAW_CALLS_MAX {
        let places = line.lobby(&drop.id, DRAW_MAX).await?;
        if places.is_empty() {
            break;
        }
        let drawn: Vec<_> = places.into_iter().map(|place| (place, drawn_key(opens_at, &drop.seed, place))).collect();
        if line.draw(&drop.id, &drawn).await?.is_none_or(|left| left == 0) {
            break;
        }
    }
    Ok(())
}

fn record(drop: &DropId, released: &Released) {
    let label = || drop.as_str().to_owned();
    counter!("onsale_line_granted_total", "drop" => label()).increment(released.granted);
    counter!("onsale_line_called_total", "drop" => label()).increment(released.called);
    gauge!("onsale_line_waiting", "drop" => label()).set(released.waiting as f64);
    gauge!("onsale_line_active", "drop" => label()).set(released.active as f64);
    gauge!("onsale_line_claims", "drop" => label()).set(released.claims as f64);
}
