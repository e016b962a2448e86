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
    let written = update(tx, sales).await?;
    let bookings = i64::try_from(sales.len()).map_err(anyhow::Error::from)?;
    let tickets =
        i64::try_from(sales.iter().map(|sale| sale.tickets.len()).sum::<usize>()).map_err(anyhow::Error::from)?;
    let changed = (written.completed, written.sold, written.purchased, written.captures.len());
    if changed != (bookings, tickets, tickets, sales.len()) {
        return Err(Failure::Torn);
    }
    let now = sales.iter().map(|sale| sale.decision.now).max().unwrap_or(Timestamp::UNIX_EPOCH);
    for intent_id in written.losers {
        outbox::enqueue(&mut **tx, &Job::Void { intent_id }, now).await?;
    }
    Ok(written.bookings.into_iter().zip(written.captures).collect())
}

async fn update(tx: &mut PgTransaction<'_>, sales: &[Sale<'_>]) -> Result<Written, Failure> {
    let mut jobs = Vec::with_capacity(2 * sales.len());
    for Sale { decision, booking, .. } in sales {
        let capture = Job::Capture { booking_id: decision.booking_id, intent_id: decision.intent_id.clone() };
        let end_place = Job::EndPlace { drop_id: booking.drop_id.clone(), place: booking.place.clone() };
        for job in [capture, end_place] {
            let (kind, body) = outbox::columns(&job)?;
            jobs.push((kind, body, decision.now));
        }
    }
    let tickets = || sales.iter().flat_map(|sale| sale.tickets.iter().map(move |ticket| (sale, *ticket)));
    let written = sqlx::query_as(
        "WITH won AS MATERIALIZED (
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                 AS w (booking_id, intent_id, drop_id, place, now)),
         tickets_won AS MATERIALIZED (
             SELECT * FROM unnest($6::bigint[], $7::uuid[], $8::uuid[], $9::timestamptz[])
                 AS w (ticket_id, booking_id, user_id, now)),
         ended AS (
             UPDATE redemptions r SET ended_at = w.now FROM won w
             WHERE r.drop_id = w.drop_id AND r.place = w.place AND r.ended_at IS NULL),
         sold AS (
             UPDATE claims c SET state = 'sold' FROM tickets_won w
             WHERE c.booking_id = w.booking_id AND c.ticket_id = w.ticket_id AND c.state = 'held' RETURNING 1),
         purchased AS (
             UPDATE tickets t SET status = 'purchased', user_id = w.user_id, booking_id = w.booking_id,
                                  purchase_date = w.now
             FROM tickets_won w WHERE t.ticket_id = w.ticket_id AND t.status = 'available' RETURNING 1),
         completed AS (
             UPDATE bookings b SET status = 'completed', phase = 'closed', completed_at = w.now, intent_id = w.intent_id
             FROM won w WHERE b.booking_id = w.booking_id AND b.status = 'pending' RETURNING 1),
         attempted AS (
             UPDATE payment_attempts a SET status = CASE WHEN a.intent_id = w.intent_id THEN 'won' ELSE 'void' END
             FROM won w WHERE a.booking_id = w.booking_id AND (a.status <> 'void' OR a.intent_id = w.intent_id)
             RETURNING a.intent_id, a.status),
         queued AS (
             INSERT INTO outbox (kind, body, run_at, created_at)
             SELECT kind, body, now, now FROM unnest($10::text[], $11::jsonb[], $12::timestamptz[]) AS w (kind, body, now)
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
    .bind(sales.iter().map(|sale| sale.decision.now.to_sqlx()).collect::<Vec<_>>())
    .bind(tickets().map(|(_, ticket)| ticket).collect::<Vec<_>>())
    .bind(tickets().map(|(sale, _)| sale.decision.booking_id).collect::<Vec<_>>())
    .bind(tickets().map(|(sale, _)| sale.booking.user_id).collect::<Vec<_>>())
    .bind(tickets().map(|(sale, _)| sale.decision.now.to_sqlx()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(kind, _, _)| kind.as_str()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, body, _)| body).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, _, now)| now.to_sqlx()).collect::<Vec<_>>())
    .fetch_one(&mut **tx)
    .await?;
    Ok(written)
}
