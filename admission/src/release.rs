//! The release loop: grants and calls, drop by drop.
//! Any number of processes may run it; each step is atomic in Redis.

use std::collections::HashMap;

use metrics::{counter, gauge};

use crate::{
    drops::Drop,
    ids::DropId,
    line::{DropState, Line, LineError, Released},
    pace,
};

/// What a step needs to know from the step before.
#[derive(Debug, Default)]
pub struct Releaser {
    seen: HashMap<DropId, (DropState, Released)>,
}

impl Releaser {
    /// One step for one drop.
    pub async fn release(&mut self, line: &Line, drop: &Drop) -> Result<Released, LineError> {
        let (rate, reaction_us) = match self.seen.get(&drop.id) {
            Some((state, last)) => (state.rate_per_minute, last.reaction_us),
            None => (drop.settings.rate_per_minute.unsigned_abs().into(), 0),
        };
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

fn record(drop: &DropId, released: &Released) {
    let label = || drop.as_str().to_owned();
    counter!("onsale_line_granted_total", "drop" => label()).increment(released.granted);
    counter!("onsale_line_called_total", "drop" => label()).increment(released.called);
    counter!("onsale_line_missed_total", "drop" => label()).absolute(released.missed_total);
    gauge!("onsale_line_waiting", "drop" => label()).set(released.waiting as f64);
    gauge!("onsale_line_active", "drop" => label()).set(released.active as f64);
    gauge!("onsale_line_claims", "drop" => label()).set(released.claims as f64);
}
