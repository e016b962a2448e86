//! The decision, for as many bookings as wait: held → sold and available → purchased for every ticket of a booking,
//! or nothing of it.
//!
//! Set by set, as in [`super::reserve`]: lock the bookings, then their places and tickets, read what is held, and
//! complete the bookings that have all of theirs.

mod look;
mod write;

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use super::bookings::{Booking, Status};
use super::counter::{Batch, Step};

use look::Held;

/// A booking to be sold to the fan whose intent is authorised.
#[derive(Debug)]
pub struct Decision {
    pub booking_id: Uuid,
    pub intent_id: String,
    pub now: Timestamp,
}

/// How a decision ended.
#[derive(Debug, PartialEq)]
pub enum Sold {
    /// Committed now; the outbox job that takes the money.
    Now { capture: i64 },
    /// Nothing to decide: the booking is not pending any more, or the intent is being given up at this moment.
    Before,
    /// Nothing written: not every ticket was still the booking's.
    Lost,
}

/// A booking that is sold, with all its tickets.
struct Sale<'a> {
    decision: &'a Decision,
    booking: &'a Booking,
    tickets: Vec<i64>,
}

/// Decides about all of them. No two may be of the same booking.
///
/// # Errors
/// Nothing was committed, or nobody knows.
pub(crate) async fn sell(pool: &PgPool, decisions: &[Decision]) -> Batch<Sold> {
    let mut tx = pool.begin().await?;
    let bookings = look::lock_bookings(&mut *tx, decisions).await?;
    let pending: Vec<(&Decision, &Booking)> = decisions
        .iter()
        .filter_map(|decision| Some((decision, bookings.get(&decision.booking_id)?)))
        // given up while the provider was asked: nothing is bought with it any more
        .filter(|(_, booking)| booking.status == Status::Pending && !booking.is_given_up())
        .collect();
    let mut held = if pending.is_empty() { HashMap::new() } else { look::lock_held(&mut *tx, &pending).await? };
    let mut outcomes: HashMap<Uuid, Sold> = HashMap::new();
    let mut sales = Vec::with_capacity(pending.len());
    for (decision, booking) in pending {
        let Held { tickets, given_up } = held.remove(&booking.booking_id).unwrap_or_default();
        if given_up {
            continue;
        }
        if is_whole(booking, &tickets) {
            sales.push(Sale { decision, booking, tickets });
        } else {
            outcomes.insert(booking.booking_id, Sold::Lost);
        }
    }
    if sales.is_empty() {
        tx.rollback().await?;
    } else {
        for (booking_id, capture) in write::write(&mut tx, &sales).await? {
            outcomes.insert(booking_id, Sold::Now { capture });
        }
        shared::crash::point("sell.deciding");
        tx.commit().await?;
        shared::crash::point("sell.committed");
    }
    let outcome = |decision: &Decision| outcomes.remove(&decision.booking_id).unwrap_or(Sold::Before);
    Ok(decisions.iter().map(outcome).map(|sold| Step::Told(Ok(sold))).collect())
}

/// Money is taken for all tickets of the booking, so all of them must change hands.
fn is_whole(booking: &Booking, tickets: &[i64]) -> bool {
    booking.is_whole(tickets.len() as u64, tickets.len() as u64)
}
