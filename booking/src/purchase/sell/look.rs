//! Locks, and what stands behind them.

use std::collections::HashMap;

use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use super::Decision;
use crate::error::Result;
use crate::purchase::attempts::VOIDING;
use crate::purchase::bookings::{Booking, columns};
use crate::purchase::counter::lock_places;

/// Where a row is (`ctid`, as text). A row that is locked, or changes only under a lock that is held, stays there until the
/// transaction changes it: it is found again without an index.
pub(super) type Spot = String;

/// A ticket that is the booking's to have.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) ticket_id: i64,
    pub(super) spot: Spot,
    pub(super) claim: Spot,
}

/// What a booking has.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Claimed by it and available: they can be sold.
    pub(super) tickets: Vec<Ticket>,
    /// Its intent is being given up at the provider, or was.
    pub(super) given_up: bool,
}

#[derive(Debug, FromRow)]
pub(super) struct Locked {
    #[sqlx(flatten)]
    pub(super) booking: Booking,
    pub(super) spot: Spot,
}

/// Nobody else decides about them until the transaction ends.
pub(super) async fn lock_bookings(
    db: impl PgExecutor<'_>,
    decisions: &[Decision],
) -> sqlx::Result<HashMap<Uuid, Locked>> {
    let bookings: Vec<Locked> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        ", ctid::text AS spot FROM bookings WHERE booking_id = ANY($1) ORDER BY booking_id FOR UPDATE"
    ))
    .bind(decisions.iter().map(|decision| decision.booking_id).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(bookings.into_iter().map(|locked| (locked.booking.booking_id, locked)).collect())
}

/// Locks their places. A claim changes only under its booking's lock, and a ticket with a live claim only by what has that
/// lock, too: who writes counts what he changes, and needs no other lock.
pub(super) async fn lock_held(
    db: impl PgExecutor<'_>,
    pending: &[(&Decision, &Locked)],
) -> Result<HashMap<Uuid, Held>> {
    let voiding = pending.iter().map(|(decision, _)| {
        let since = decision.now.saturating_sub(VOIDING).map_err(anyhow::Error::from)?;
        Ok(since.to_sqlx())
    });
    let rows: Vec<Row> = sqlx::query_as(lock_places!(
        "SELECT w.booking_id, t.ticket_id, t.ctid::text AS spot, c.spot AS claim, t.status = 'available' AS is_available,
                COALESCE((SELECT a.undone_at IS NOT NULL OR a.refunding_at IS NOT NULL
                                 OR COALESCE(a.voiding_at > w.voiding, false)
                          FROM payment_attempts a WHERE a.intent_id = w.intent_id), false) AS given_up
         FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS w (booking_id, intent_id, voiding)
              CROSS JOIN LATERAL (SELECT ticket_id, ctid::text AS spot FROM claims c
                                  WHERE c.booking_id = w.booking_id AND c.state = 'held' OFFSET 0) c
              JOIN tickets t ON t.ticket_id = c.ticket_id
         WHERE (SELECT count(*) FROM places) >= 0",
    ))
    .bind(pending.iter().map(|(_, locked)| locked.booking.drop_id.as_str()).collect::<Vec<_>>())
    .bind(pending.iter().map(|(_, locked)| locked.booking.place.as_str()).collect::<Vec<_>>())
    .bind(pending.iter().map(|(decision, _)| decision.booking_id).collect::<Vec<_>>())
    .bind(pending.iter().map(|(decision, _)| decision.intent_id.as_str()).collect::<Vec<_>>())
    .bind(voiding.collect::<Result<Vec<_>>>()?)
    .fetch_all(db)
    .await?;
    let mut held: HashMap<Uuid, Held> = HashMap::new();
    for Row { booking_id, ticket_id, spot, claim, is_available, given_up } in rows {
        let held = held.entry(booking_id).or_default();
        held.given_up |= given_up;
        if is_available {
            held.tickets.push(Ticket { ticket_id, spot, claim });
        }
    }
    Ok(held)
}

#[derive(FromRow)]
struct Row {
    booking_id: Uuid,
    ticket_id: i64,
    spot: Spot,
    claim: Spot,
    is_available: bool,
    given_up: bool,
}
