//! What a sale changes, written in one statement and counted.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgTransaction};
use uuid::Uuid;

use super::Sale;
use crate::purchase::counter::Failure;
use crate::purchase::outbox::{self, Job};

#[derive(Debug, FromRow)]
struct Written {
    // how many of each
    sold: i64,
    purchased: i64,
    completed: i64,
    /// The bookings of the jobs that take the money …
    bookings: Vec<Uuid>,
    /// … and these jobs.
    captures: Vec<i64>,
    /// Intents that lost against the winner: the provider gives them up.
    losers: Vec<String>,
}

/// The outbox jobs that take the money, by booking.
///
/// # Errors
/// `Torn` when a booking would have got less than was decided.
pub(super) async fn write(tx: &mut PgTransaction<'_>, sales: &[Sale<'_>]) -> Result<Vec<(Uuid, i64)>, Failure> {
    // one instant for all of them: the last to come
    let now = sales.iter().map(|sale| sale.decision.now).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let written = update(tx, sales, now).await?;
    let bookings = i64::try_from(sales.len()).map_err(anyhow::Error::from)?;
    let tickets =
        i64::try_from(sales.iter().map(|sale| sale.tickets.len()).sum::<usize>()).map_err(anyhow::Error::from)?;
    let changed = (written.completed, written.sold, written.purchased, written.captures.len());
    if changed != (bookings, tickets, tickets, sales.len()) {
        return Err(Failure::Torn);
    }
    for intent_id in written.losers {
        outbox::enqueue(&mut **tx, &Job::Void { intent_id }, now).await?;
    }
    Ok(written.bookings.into_iter().zip(written.captures).collect())
}

async fn update(tx: &mut PgTransaction<'_>, sales: &[Sale<'_>], now: Timestamp) -> Result<Written, Failure> {
    let mut jobs = Vec::with_capacity(2 * sales.len());
    for Sale { decision, booking, .. } in sales {
        let capture = Job::Capture { booking_id: decision.booking_id, intent_id: decision.intent_id.clone() };
        let end_place = Job::EndPlace { drop_id: booking.drop_id.clone(), place: booking.place.clone() };
        for job in [capture, end_place] {
            jobs.push(outbox::columns(&job)?);
        }
    }
    let tickets = || sales.iter().flat_map(|sale| sale.tickets.iter().map(move |ticket| (sale, *ticket)));
    let written = sqlx::query_as(
        // rows are found by the ANY of a leading key or by ON CONFLICT: a join, or a condition that another index could
        // serve (status = 'pending', which says the same as the phase), finds them by the right index only where the
        // planner thinks the table is large. The places are there, and locked
        "WITH tickets_won AS MATERIALIZED (
             SELECT * FROM unnest($6::bigint[], $7::uuid[], $8::uuid[]) AS w (ticket_id, booking_id, user_id)),
         ended AS (
             INSERT INTO redemptions AS r (drop_id, place, user_id, jti, redeemed_at, expires_at, ended_at)
             SELECT drop_id, place, user_id, '', $5, $5, $5
             FROM unnest($3::text[], $4::text[], $11::uuid[]) AS w (drop_id, place, user_id)
             ON CONFLICT (drop_id, place) DO UPDATE SET ended_at = $5 WHERE r.ended_at IS NULL),
         sold AS (
             UPDATE claims SET state = 'sold'
             WHERE booking_id = ANY($1) AND ticket_id = ANY($6) AND state = 'held' RETURNING 1),
         purchased AS (
             UPDATE tickets t SET status = 'purchased', user_id = w.user_id, booking_id = w.booking_id,
                                  purchase_date = $5
             FROM tickets_won w WHERE t.ticket_id = w.ticket_id AND t.status = 'available' RETURNING 1),
         completed AS (
             UPDATE bookings SET status = 'completed', phase = 'closed', completed_at = $5,
                                 intent_id = ($2::text[])[array_position($1::uuid[], booking_id)]
             WHERE booking_id = ANY($1) AND phase <> 'closed' RETURNING 1),
         attempted AS (
             UPDATE payment_attempts
             SET status = CASE WHEN intent_id = ($2::text[])[array_position($1::uuid[], booking_id)]
                               THEN 'won' ELSE 'void' END
             WHERE booking_id = ANY($1)
               AND (status <> 'void' OR intent_id = ($2::text[])[array_position($1::uuid[], booking_id)])
             RETURNING intent_id, status),
         queued AS (
             INSERT INTO outbox (kind, body, run_at, created_at)
             SELECT kind, body, $5, $5 FROM unnest($9::text[], $10::jsonb[]) AS w (kind, body)
             RETURNING outbox_id, kind, body)
         SELECT (SELECT count(*) FROM sold) AS sold, (SELECT count(*) FROM purchased) AS purchased,
                (SELECT count(*) FROM completed) AS completed,
                array_agg((body->>'booking_id')::uuid) AS bookings, array_agg(outbox_id) AS captures,
                ARRAY(SELECT intent_id FROM attempted WHERE status = 'void' AND intent_id IS NOT NULL) AS losers
         FROM queued WHERE kind = 'capture'",
    )
    .bind(sales.iter().map(|sale| sale.decision.booking_id).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.decision.intent_id.as_str()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.booking.drop_id.as_str()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.booking.place.as_str()).collect::<Vec<_>>())
    .bind(now.to_sqlx())
    .bind(tickets().map(|(_, ticket)| ticket).collect::<Vec<_>>())
    .bind(tickets().map(|(sale, _)| sale.decision.booking_id).collect::<Vec<_>>())
    .bind(tickets().map(|(sale, _)| sale.booking.user_id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, body)| body).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.booking.user_id).collect::<Vec<_>>())
    .fetch_one(&mut **tx)
    .await?;
    Ok(written)
}
