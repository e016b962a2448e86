//! Which tickets to try for: asks the hint in Redis, or reads Postgres when there is none.

use crate::app::App;
use crate::error::{Error, Result};
use crate::purchase::reserve::Draft;
use crate::seats::best_available::{self, candidates};
use crate::seats::holds::Hint;
use crate::seats::inventory::Inventory;
use crate::seats::projection;

/// Blocks offered to the hold script at once: with many fans choosing at once the first ones are gone soon.
const CANDIDATES_MAX: usize = 24;
/// Without Redis, blocks a fan may be spread over …
const SPREAD_MAX: usize = 96;
/// … and how many of them one transaction locks while it decides.
const LOCKED_MAX: usize = 3;
/// From this round on Postgres is asked alone: the hint has been wrong often enough.
const TRUST_ROUNDS: u32 = 6;

/// A wish that has been checked.
pub(super) enum Wish<'a> {
    /// Ordinals, ascending.
    Named(Vec<u32>),
    Best(best_available::Wish<'a>),
}

pub(super) enum Choice {
    /// These; `hinted` when Redis holds them for the booking.
    Block { ordinals: Vec<u32>, hinted: bool },
    /// The first of these that is free, says Postgres.
    AnyOf(Vec<Vec<u32>>),
    /// Others were faster between the look and the hold.
    Again,
}

pub(super) async fn choose(
    app: &App,
    inventory: &Inventory,
    draft: &Draft<'_>,
    wish: &Wish<'_>,
    round: u32,
) -> Result<Choice> {
    match wish {
        Wish::Named(ordinals) => named(app, inventory, draft, ordinals).await,
        Wish::Best(wish) if round < TRUST_ROUNDS => best(app, inventory, draft, *wish, round).await,
        Wish::Best(wish) => best_alone(app, inventory, draft, *wish, round).await,
    }
}

async fn named(app: &App, inventory: &Inventory, draft: &Draft<'_>, ordinals: &[u32]) -> Result<Choice> {
    let ordinals = ordinals.to_vec();
    let block = std::slice::from_ref(&ordinals);
    match app.seats.holds.hold(&app.redis, draft.event_id, draft.booking_id, block).await {
        Hint::Held(_) => Ok(Choice::Block { ordinals, hinted: true }),
        Hint::Taken(taken) => Err(Error::SeatsTaken { seats: inventory.labels(&taken) }),
        Hint::Missing => {
            projection::rebuild(app, draft.event_id).await?;
            Ok(Choice::Block { ordinals, hinted: false })
        }
        Hint::Silent => Ok(Choice::Block { ordinals, hinted: false }),
    }
}

async fn best(
    app: &App,
    inventory: &Inventory,
    draft: &Draft<'_>,
    wish: best_available::Wish<'_>,
    round: u32,
) -> Result<Choice> {
    let holds = &app.seats.holds;
    let Some(taken) = holds.peek(&app.redis, draft.event_id).await else {
        return best_alone(app, inventory, draft, wish, round).await;
    };
    if taken.epoch.is_empty() {
        projection::rebuild(app, draft.event_id).await?;
        return best_alone(app, inventory, draft, wish, round).await;
    }
    let free: Vec<bool> = ordinals(inventory).map(|ordinal| !taken.contains(ordinal)).collect();
    let mut blocks = candidates(&inventory.rows, &free, wish, CANDIDATES_MAX);
    if blocks.is_empty() {
        // only Postgres may say that there are no more
        return best_alone(app, inventory, draft, wish, round).await;
    }
    match holds.hold(&app.redis, draft.event_id, draft.booking_id, &blocks).await {
        Hint::Held(index) if index < blocks.len() => {
            Ok(Choice::Block { ordinals: blocks.swap_remove(index), hinted: true })
        }
        Hint::Held(_) | Hint::Taken(_) => Ok(Choice::Again),
        Hint::Missing | Hint::Silent => best_alone(app, inventory, draft, wish, round).await,
    }
}

/// A plain look at what is committed: seats in somebody's unfinished transaction count as free, so "sold
/// out" is said only when it is so.
async fn best_alone(
    app: &App,
    inventory: &Inventory,
    draft: &Draft<'_>,
    wish: best_available::Wish<'_>,
    round: u32,
) -> Result<Choice> {
    let mut free = vec![true; inventory.len()];
    for ordinal in projection::taken(&app.pool, draft.event_id).await? {
        if let Some(seat) = free.get_mut(ordinal as usize) {
            *seat = false;
        }
    }
    let mut blocks = candidates(&inventory.rows, &free, wish, SPREAD_MAX);
    if blocks.is_empty() {
        return Err(Error::SoldOut);
    }
    if round > 0 {
        // others are at the best ones: look elsewhere instead of colliding again
        let elsewhere = rand::random_range(0..blocks.len());
        blocks.rotate_left(elsewhere);
    }
    blocks.truncate(LOCKED_MAX);
    Ok(Choice::AnyOf(blocks))
}

fn ordinals(inventory: &Inventory) -> impl Iterator<Item = u32> {
    0..u32::try_from(inventory.len()).unwrap_or(u32::MAX)
}
