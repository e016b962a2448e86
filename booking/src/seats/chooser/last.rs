//! The last look: at what is committed, without skipping what somebody is deciding about, one process at a time.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgTransaction;
use tokio::sync::mpsc;

use super::{Desk, Offer, Party, again, assign, inventory_of, returned_for};
use crate::app::App;
use crate::error::Result;
use crate::seats::board::{Board, Spread};
use crate::seats::chooser::marks::Mark;
use crate::seats::inventory::Inventory;
use crate::seats::projection::{self, Look};

/// How long the others may take before a process waits no more for its turn.
const TURN_MAX: &str = "8s";
/// How long a go waits for its parties' transactions before the next one looks.
const DECIDING_MAX: Duration = Duration::from_secs(5);

/// Answers every party but those who have to wait for what the others of this go get: they are returned.
///
/// Nobody else looks until the transactions of this go are decided, so whoever is offered seats here can lose them
/// only to a fan who had chosen them before.
pub(super) async fn go(app: &App, desk: &Arc<Desk>, mut parties: Vec<Party>) -> Vec<Party> {
    parties.retain(|party| !party.is_gone());
    let Some(inventory) = inventory_of(&parties) else { return Vec::new() };
    metrics::counter!(crate::metrics::SEAT_LAST_LOOKS).increment(1);
    let Ok(_room) = app.seats.chooser.last_looks.acquire().await else { return Vec::new() }; // it is never closed
    let (order, seen) = match look(app, desk, &inventory).await {
        Ok(seen) => seen,
        Err(error) => {
            for party in parties {
                drop(party.answer(Err(again(&error))));
            }
            return Vec::new();
        }
    };
    let placed = place(desk, &inventory, &seen, &parties);
    let (deciding, mut decided) = mpsc::channel::<()>(1);
    let mut behind = Vec::new();
    for (party, place) in parties.into_iter().zip(placed) {
        match place {
            Place::Block(block) => {
                let mark = Mark::new(&desk.marks, &block, Some(deciding.clone()));
                drop(party.answer(Ok(Some(Offer { block, is_held: false, mark }))));
            }
            Place::Behind => behind.push(party),
            Place::Nowhere => drop(party.answer(Ok(None))),
        }
    }
    drop(deciding);
    // nothing is ever sent: it ends when the last mark has been dropped
    let all = tokio::time::timeout(DECIDING_MAX, decided.recv()).await;
    if all.is_err() {
        tracing::warn!(event_id = %desk.event_id, "seats offered by a last look are not decided yet");
    }
    // it has changed nothing; should its end be lost, so is the connection, and the lock with it
    if let Err(error) = order.rollback().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "ending the order of last looks");
    }
    behind
}

/// The event's order is ours while the transaction lives.
async fn look(app: &App, desk: &Desk, inventory: &Inventory) -> Result<(PgTransaction<'static>, Seen)> {
    let mut order = app.pool.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(TURN_MAX).execute(&mut *order).await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('seats ' || $1, 0))")
        .bind(desk.event_id.to_string())
        .execute(&mut *order)
        .await?;
    let look = projection::look(&mut *order, desk.event_id, projection::returned_since(app)).await?;
    let is_released = inventory.hall.has_pool() && projection::pools_are_released(&mut *order, desk.event_id).await?;
    Ok((order, Seen { look, is_released }))
}

struct Seen {
    look: Look,
    /// Protected seats are everybody's.
    is_released: bool,
}

enum Place {
    Block(Vec<u32>),
    /// There are seats, but others of this go try for them first.
    Behind,
    Nowhere,
}

fn place(desk: &Desk, inventory: &Inventory, seen: &Seen, parties: &[Party]) -> Vec<Place> {
    let (look, taken) = (&seen.look, seen.look.ordinals());
    let free = inventory.free(|ordinal| taken.contains(&ordinal));
    let mut untouched = Board::new(&inventory.hall, free.clone(), desk.salt);
    let mut board = Board::new(&inventory.hall, free, desk.salt);
    if seen.is_released {
        untouched.release_pools();
        board.release_pools();
    }
    let choices = assign(&mut board, parties, &look.returned);
    let each = parties.iter().zip(choices).map(|(party, choice)| {
        let Some(choice) = choice else {
            let theirs: Vec<u32> = returned_for(&look.returned, &party.ask).collect();
            untouched.give(&theirs);
            let is_there = untouched.choose(&party.ask.wish, Spread::default()).is_some();
            untouched.take(&theirs);
            return if is_there { Place::Behind } else { Place::Nowhere };
        };
        Place::Block(choice.block)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::seats::board::Wish;
    use crate::seats::chooser::Ask;

    #[test]
    fn who_wants_what_others_of_the_go_try_for_waits_for_what_they_get() {
        let inventory = Arc::new(Inventory::of_one_row(3));
        let party = |quantity| {
            let wish = Wish { quantity, ..Wish::default() };
            let (owner, admitted_at) = (Uuid::nil(), Timestamp::UNIX_EPOCH);
            Party::new(Ask { owner, wish, admitted_at, inventory: inventory.clone(), losses: 0 }).0
        };
        let seen = Seen { look: Look { taken: vec![2], returned: Vec::new() }, is_released: false };
        let places = place(&Desk::new(Uuid::nil()), &inventory, &seen, &[party(2), party(1), party(3)]);
        assert!(matches!(&places[..], [Place::Block(block), Place::Behind, Place::Nowhere] if *block == [0, 1]));
    }
}
