//! One go by the hint in Redis, or by Postgres while there is none.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Choice, Desk, Offer, Party, again, assign, inventory_of};
use crate::app::App;
use crate::error::{Error, Result};
use crate::seats::board::Board;
use crate::seats::chooser::marks::Mark;
use crate::seats::holds::{Hints, Taken};
use crate::seats::inventory::Inventory;
use crate::seats::projection;

/// How often a party tries in one go after other processes were faster; then the last look serves it.
const TRIES_MAX: u32 = 8;
/// Answers every party. The marks come before the look: see [`super::Marks::now`].
pub(super) async fn go(app: &App, desk: &Arc<Desk>, mut parties: Vec<Party>) {
    parties.retain(|party| !party.is_gone());
    let Some(inventory) = inventory_of(&parties) else { return };
    let marked = desk.marks.now();
    match projected(app, desk).await {
        Ok(Some(look)) => by_hint(app, desk, &inventory, &marked, look, parties).await,
        Ok(None) => by_postgres(app, desk, &inventory, &marked, parties).await,
        Err(error) => fail(&error, parties),
    }
}

/// What Redis says, if it says anything.
async fn projected(app: &App, desk: &Desk) -> Result<Option<Taken>> {
    let since = projection::returned_since(app);
    let Some(look) = app.seats.holds.look(&app.redis, desk.event_id, since).await else { return Ok(None) };
    if look.epoch.is_empty() {
        projection::rebuild(app, desk.event_id).await?;
        return Ok(None);
    }
    Ok(Some(look))
}

async fn by_hint(
    app: &App,
    desk: &Arc<Desk>,
    inventory: &Inventory,
    marked: &HashSet<u32>,
    mut look: Taken,
    mut parties: Vec<Party>,
) {
    for _ in 0..TRIES_MAX {
        let placed = {
            let free = inventory.free(|ordinal| look.contains(ordinal) || marked.contains(&ordinal));
            let mut board = Board::new(&inventory.hall, free, desk.salt);
            board.take(&look.returned.iter().map(|seat| seat.ordinal).collect::<Vec<_>>());
            assign(&mut board, &parties, &look.returned)
        };
        let mut trying = Vec::new();
        for (party, choice) in parties.into_iter().zip(placed) {
            match choice {
                Some(choice) => trying.push((party, choice)),
                None => drop(party.answer(Ok(None))),
            }
        }
        if trying.is_empty() {
            return;
        }
        let asked: Vec<_> = trying.iter().map(|(party, choice)| (party.ask.owner, choice)).collect();
        let (held, seen) = match app.seats.holds.hold_each(&app.redis, desk.event_id, &asked).await {
            Hints::Decided { held, bitmap } => (held, bitmap),
            Hints::Unknown => {
                let parties = trying.into_iter().map(|(party, _)| party).collect();
                return by_postgres(app, desk, inventory, marked, parties).await;
            }
        };
        look.see(seen);
        parties = Vec::new();
        for ((mut party, choice), held) in trying.into_iter().zip(held) {
            if held {
                hand_over(app, desk, party, choice.block).await;
            } else {
                party.ask.losses += 1;
                parties.push(party);
            }
        }
        if parties.is_empty() {
            return;
        }
    }
    for party in parties {
        drop(party.answer(Ok(None)));
    }
}

/// The seats are held: the party's, or free again when it has gone.
async fn hand_over(app: &App, desk: &Desk, party: Party, block: Vec<u32>) {
    let owner = party.ask.owner;
    let mark = Mark::new(&desk.marks, &block, None);
    if let Some(offer) = party.answer(Ok(Some(Offer { block, is_held: true, mark }))) {
        app.seats.holds.release(&app.redis, desk.event_id, owner, &offer.block, None).await;
    }
}

async fn by_postgres(app: &App, desk: &Desk, inventory: &Inventory, marked: &HashSet<u32>, parties: Vec<Party>) {
    let since = projection::returned_since(app);
    let look = match projection::look(&app.pool, desk.event_id, since).await {
        Ok(look) => look,
        Err(error) => return fail(&error.into(), parties),
    };
    let placed = {
        let taken = look.ordinals();
        let free = inventory.free(|ordinal| taken.contains(&ordinal) || marked.contains(&ordinal));
        assign(&mut Board::new(&inventory.hall, free, desk.salt), &parties, &look.returned)
    };
    for (party, choice) in parties.into_iter().zip(placed) {
        let offer = choice.map(|Choice { block, .. }| {
            let mark = Mark::new(&desk.marks, &block, None);
            Offer { block, is_held: false, mark }
        });
        drop(party.answer(Ok(offer)));
    }
}

fn fail(error: &Error, parties: Vec<Party>) {
    for party in parties {
        drop(party.answer(Err(again(error))));
    }
}
