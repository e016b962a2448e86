//! Locks, and what stands behind them.

use std::collections::HashMap;

use jiff_sqlx::ToSqlx as _;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Decision;
use crate::error::Result;
use crate::purchase::attempts::VOIDING;
use crate::purchase::bookings::{Booking, columns};
use crate::purchase::counter::lock_places;

/// What a booking has.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Claimed by it and available: they can be sold.
    pub(super) tickets: Vec<i64>,
    /// Its intent is being given up at the provider, or was.
    pub(super) given_up: bool,
}

/// Nobody else decides about them until the transaction ends.
pub(super) async fn lock_bookings(
    db: impl PgExecutor<'_>,
    decisions: &[Decision],
) -> sqlx::Result<HashMap<Uuid, Booking>> {
    let bookings: Vec<Booking> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM bookings WHERE booking_id = ANY($1) ORDER BY booking_id FOR UPDATE"
    ))
    .bind(decisions.iter().map(|decision| decision.booking_id).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(bookings.into_iter().map(|booking| (booking.booking_id, booking)).collect())
}

/// Locks their places, then their tickets by id. A claim changes only under its booking's lock.
pub(super) async fn lock_held(
    db: impl PgExecutor<'_>,
    pending: &[(&Decision, &Booking)],
) -> Result<HashMap<Uuid, Held>> {
    let voiding = pending.iter().map(|(decision, _)| {
        let since = decision.now.saturating_sub(VOIDING).map_err(anyhow::Error::from)?;
        Ok(since.to_sqlx())
    });
    // no ticket before every place
    let rows: Vec<(Uuid, i64, bool, bool)> = sqlx::query_as(lock_places!(
        "SELECT h.booking_id, h.ticket_id, t.status = 'available', h.given_up
         FROM (SELECT c.booking_id, c.ticket_id,
                      COALESCE((SELECT a.undone_at IS NOT NULL OR a.refunding_at IS NOT NULL
                                       OR COALESCE(a.voiding_at > w.voiding, false)
                                FROM payment_attempts a WHERE a.intent_id = w.intent_id), false) AS given_up
               FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS w (booking_id, intent_id, voiding)
                    CROSS JOIN LATERAL (SELECT booking_id, ticket_id FROM claims c
                                        WHERE c.booking_id = w.booking_id AND c.state = 'held' OFFSET 0) c
               WHERE (SELECT count(*) FROM places) >= 0
               ORDER BY c.ticket_id) h
              CROSS JOIN LATERAL (SELECT status FROM tickets t WHERE t.ticket_id = h.ticket_id LIMIT 1 FOR UPDATE) t",
    ))
    .bind(pending.iter().map(|(_, booking)| booking.drop_id.as_str()).collect::<Vec<_>>())
    .bind(pending.iter().map(|(_, booking)| booking.place.as_str()).collect::<Vec<_>>())
    .bind(pending.iter().map(|(decision, _)| decision.booking_id).collect::<Vec<_>>())
    .bind(pending.iter().map(|(decision, _)| decision.intent_id.as_str()).collect::<Vec<_>>())
    .bind(voiding.collect::<Result<Vec<_>>>()?)
    .fetch_all(db)
    .await?;
    let mut held: HashMap<Uuid, Held> = HashMap::new();
    for (booking_id, ticket_id, is_available, given_up) in rows {
        let held = held.entry(booking_id).or_default();
        held.given_up |= given_up;
        if is_available {
            held.tickets.push(ticket_id);
        }
    }
    Ok(held)
}
