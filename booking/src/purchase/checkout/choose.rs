//! Which tickets to try for: those a fan has named, or what the chooser offers.

use std::sync::Arc;

use crate::app::App;
use crate::error::{Error, Result};
use crate::purchase::reserve::Draft;
use crate::seats::board;
use crate::seats::chooser::{Ask, Mark, Offer};
use crate::seats::hall::Pool;
use crate::seats::holds::Hint;
use crate::seats::inventory::Inventory;
use crate::seats::projection;

/// From this round on the last look is asked alone: the hint has been wrong often enough.
const FAST_ROUNDS: u32 = 6;
/// How often seats are chosen anew after others were faster. In each round after the fast ones somebody who chose
/// before got them, so there are fewer rounds than seats left; this many would be a mistake of ours.
pub(super) const ROUNDS_MAX: u32 = FAST_ROUNDS + 32;

/// A wish that has been checked.
pub(super) enum Wish {
    Named {
        /// Ascending.
        ordinals: Vec<u32>,
        /// The order is for somebody in a wheelchair.
        is_accessible: bool,
    },
    Best(board::Wish),
}

pub(super) enum Choice {
    /// All of these: wait for whoever is deciding about them.
    Exactly {
        ordinals: Vec<u32>,
        /// Redis holds them for the booking.
        is_held: bool,
        /// Kept until the decision is known.
        _mark: Option<Mark>,
    },
    /// All of these, unless somebody is deciding about one: then there are others.
    Unless { ordinals: Vec<u32>, _mark: Mark },
}

/// # Errors
/// `SeatsTaken`, `SeatsProtected`, `SoldOut`
pub(super) async fn choose(
    app: &App,
    inventory: &Arc<Inventory>,
    draft: &Draft,
    wish: &Wish,
    round: u32,
) -> Result<Choice> {
    match wish {
        Wish::Named { ordinals, is_accessible } => {
            may_have(app, inventory, draft, ordinals, *is_accessible).await?;
            named(app, inventory, draft, ordinals).await
        }
        Wish::Best(wish) => best(app, inventory, draft, wish, round).await,
    }
}

async fn named(app: &App, inventory: &Inventory, draft: &Draft, ordinals: &[u32]) -> Result<Choice> {
    let times = [draft.admitted_at, projection::returned_since(app)];
    let hint = app.seats.holds.hold(&app.redis, draft.event_id, draft.booking_id, ordinals, times).await;
    let is_held = match hint {
        Hint::Held => true,
        Hint::Taken(taken) => return Err(Error::SeatsTaken { seats: inventory.labels(&taken) }),
        Hint::Missing => {
            projection::rebuild(app, draft.event_id).await?;
            false
        }
        Hint::Silent => false,
    };
    Ok(Choice::Exactly { ordinals: ordinals.to_vec(), is_held, _mark: None })
}

async fn best(app: &App, inventory: &Arc<Inventory>, draft: &Draft, wish: &board::Wish, round: u32) -> Result<Choice> {
    let ask = || Ask {
        owner: draft.booking_id,
        wish: wish.clone(),
        admitted_at: draft.admitted_at,
        inventory: inventory.clone(),
        losses: round,
    };
    let chooser = &app.seats.chooser;
    if round < FAST_ROUNDS
        && let Some(Offer { block, is_held, mark }) = chooser.fast(app, draft.event_id, ask()).await?
    {
        return Ok(if is_held {
            Choice::Exactly { ordinals: block, is_held, _mark: Some(mark) }
        } else {
            Choice::Unless { ordinals: block, _mark: mark }
        });
    }
    let Offer { block, mark, .. } = chooser.last(app, draft.event_id, ask()).await?;
    Ok(Choice::Exactly { ordinals: block, is_held: false, _mark: Some(mark) })
}

/// Protected seats go to orders that say whom they are for, a companion's only beside a wheelchair's; when every other
/// seat is sold, to anybody.
async fn may_have(
    app: &App,
    inventory: &Inventory,
    draft: &Draft,
    ordinals: &[u32],
    is_accessible: bool,
) -> Result<()> {
    let protected = protected(inventory, ordinals, is_accessible);
    if protected.is_empty() || projection::pools_are_released(&app.pool, draft.event_id).await? {
        return Ok(());
    }
    Err(Error::SeatsProtected { seats: inventory.labels(&protected) })
}

fn protected(inventory: &Inventory, ordinals: &[u32], is_accessible: bool) -> Vec<u32> {
    let pool = |ordinal: u32| inventory.unit(ordinal).map_or(Pool::Open, |unit| unit.pool);
    if is_accessible && ordinals.iter().any(|&ordinal| pool(ordinal) == Pool::Accessible) {
        return Vec::new();
    }
    ordinals.iter().copied().filter(|&ordinal| pool(ordinal) != Pool::Open).collect()
}
