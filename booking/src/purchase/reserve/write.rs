//! What the winners get, written in one statement and counted.

use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgTransaction};
use uuid::Uuid;

use super::decide::Win;
use super::{Draft, Wish};
use crate::error::Error;
use crate::purchase::counter::Failure;
use crate::purchase::fees::Fee;

/// Rows that were written of each kind.
#[derive(Debug, PartialEq, Eq, FromRow)]
struct Written {
    /// Accounts that exist.
    accounts: i64,
    redeemed: i64,
    booked: i64,
    claimed: i64,
    limited: i64,
    attempted: i64,
    keyed: i64,
}

/// # Errors
/// `Torn` when a booking would have got less than was decided, `SessionInvalid` when an account is not there any more.
pub(super) async fn write(tx: &mut PgTransaction<'_>, wishes: &[Wish], wins: &[&Win]) -> Result<(), Failure> {
    let mut winners: Vec<(&Draft, &Win)> =
        wins.iter().filter_map(|win| Some((wishes.get(win.index)?.draft.as_ref(), *win))).collect();
    // rows that others may be inserting, too, are inserted in one order by everybody
    winners.sort_unstable_by_key(|(draft, _)| (draft.user_id, &draft.key));
    end_stale(tx, &winners).await?;
    let bookings = i64::try_from(winners.len()).map_err(anyhow::Error::from)?;
    let tickets = winners.iter().map(|(_, win)| win.tickets.len()).sum::<usize>();
    let whole = Written {
        accounts: bookings,
        redeemed: bookings,
        booked: bookings,
        claimed: i64::try_from(tickets).map_err(anyhow::Error::from)?,
        limited: bookings,
        attempted: bookings,
        keyed: bookings,
    };
    match insert(tx, &winners).await? {
        written if written == whole => Ok(()),
        written if written.accounts < bookings => Err(Error::SessionInvalid.into()),
        _ => Err(Failure::Torn),
    }
}

async fn insert(tx: &mut PgTransaction<'_>, winners: &[(&Draft, &Win)]) -> sqlx::Result<Written> {
    // what the look found missing is inserted, and whoever was faster makes that an error: ON CONFLICT would look it up
    // once more. What it found is updated if it is still the account's: ON CONFLICT always finds it by its index, while
    // a join does so only where the planner thinks the table is large. The event is there: a ticket of it is locked.
    let query = sqlx::query_as(
        "WITH won AS MATERIALIZED (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[], $7::text[],
                                  $8::text[], $9::text[], $10::timestamptz[], $11::bigint[], $12::text[], $13::int[],
                                  $14::int[], $15::timestamptz[], $16::timestamptz[], $17::bool[], $18::bool[])
                 AS w (booking_id, attempt_id, event_id, user_id, key, fingerprint, drop_id, place, jti, token_ends,
                       total, currency, quantity, maximum, now, hold_ends, was_redeemed, was_limited)),
         redeemed AS (
             INSERT INTO redemptions (drop_id, place, user_id, jti, redeemed_at, expires_at)
             SELECT drop_id, place, user_id, jti, now, token_ends FROM won WHERE NOT was_redeemed RETURNING 1),
         redeemed_again AS (
             INSERT INTO redemptions AS r (drop_id, place, user_id, jti, redeemed_at, expires_at)
             SELECT drop_id, place, user_id, jti, now, token_ends FROM won WHERE was_redeemed
             ON CONFLICT (drop_id, place) DO UPDATE SET expires_at = GREATEST(r.expires_at, EXCLUDED.expires_at)
             WHERE r.user_id = EXCLUDED.user_id AND r.ended_at IS NULL RETURNING 1),
         booked AS (
             INSERT INTO bookings (booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity,
                                   booking_date, expires_at)
             SELECT booking_id, user_id, event_id, drop_id, place, total, currency, quantity, now, hold_ends
             FROM won RETURNING 1),
         claimed AS (
             INSERT INTO claims (booking_id, ticket_id, created_at)
             SELECT * FROM unnest($19::uuid[], $20::bigint[], $21::timestamptz[]) RETURNING 1),
         limited AS (
             INSERT INTO fan_limits (drop_id, user_id, quantity, maximum)
             SELECT drop_id, user_id, quantity, maximum FROM won WHERE NOT was_limited RETURNING 1),
         limited_again AS (
             INSERT INTO fan_limits (drop_id, user_id, quantity, maximum)
             SELECT drop_id, user_id, quantity, maximum FROM won WHERE was_limited
             ON CONFLICT (drop_id, user_id)
             DO UPDATE SET quantity = fan_limits.quantity + EXCLUDED.quantity, maximum = EXCLUDED.maximum RETURNING 1),
         attempted AS (
             INSERT INTO payment_attempts (attempt_id, booking_id, created_at)
             SELECT attempt_id, booking_id, now FROM won RETURNING 1),
         charged AS (
             INSERT INTO booking_fees (booking_id, position, label, amount)
             SELECT * FROM unnest($22::uuid[], $23::int[], $24::text[], $25::bigint[])),
         keyed AS (
             INSERT INTO idempotency (user_id, key, fingerprint, booking_id, locked_at, created_at)
             SELECT user_id, key, fingerprint, booking_id, now, now FROM won RETURNING 1)
         SELECT (SELECT count(*) FROM users WHERE user_id = ANY($4)) AS accounts,
                (SELECT count(*) FROM redeemed) + (SELECT count(*) FROM redeemed_again) AS redeemed,
                (SELECT count(*) FROM booked) AS booked,
                (SELECT count(*) FROM claimed) AS claimed,
                (SELECT count(*) FROM limited) + (SELECT count(*) FROM limited_again) AS limited,
                (SELECT count(*) FROM attempted) AS attempted,
                (SELECT count(*) FROM keyed) AS keyed",
    );
    let claims = || winners.iter().flat_map(|(draft, win)| win.tickets.iter().map(move |ticket| (*draft, *ticket)));
    let fees =
        || winners.iter().flat_map(|(draft, win)| (0_i32..).zip(&win.fees).map(move |fee| (draft.booking_id, fee)));
    let column = Column(winners);
    query
        .bind(column.of(|draft, _| draft.booking_id))
        .bind(column.of(|_, _| Uuid::now_v7()))
        .bind(column.of(|draft, _| draft.event_id))
        .bind(column.of(|draft, _| draft.user_id))
        .bind(column.of(|draft, _| draft.key.as_str()))
        .bind(column.of(|draft, _| draft.fingerprint.as_slice()))
        .bind(column.of(|draft, _| draft.sale.drop_id.as_str()))
        .bind(column.of(|draft, _| draft.place.as_str()))
        .bind(column.of(|draft, _| draft.jti.as_str()))
        .bind(column.of(|draft, _| draft.admitted_until.to_sqlx()))
        .bind(column.of(|_, win| win.total))
        .bind(column.of(|draft, _| draft.sale.currency.as_str()))
        .bind(column.of(|_, win| i32::try_from(win.tickets.len()).unwrap_or(i32::MAX)))
        .bind(column.of(|draft, _| draft.sale.max_per_fan))
        .bind(column.of(|draft, _| draft.now.to_sqlx()))
        .bind(column.of(|draft, _| draft.expires_at.to_sqlx()))
        .bind(column.of(|_, win| win.was_redeemed))
        .bind(column.of(|_, win| win.was_limited))
        .bind(claims().map(|(draft, _)| draft.booking_id).collect::<Vec<_>>())
        .bind(claims().map(|(_, ticket)| ticket).collect::<Vec<_>>())
        .bind(claims().map(|(draft, _)| draft.now.to_sqlx()).collect::<Vec<_>>())
        .bind(fees().map(|(booking_id, _)| booking_id).collect::<Vec<_>>())
        .bind(fees().map(|(_, (position, _))| position).collect::<Vec<_>>())
        .bind(fees().map(|(_, (_, Fee { label, .. }))| label.as_str()).collect::<Vec<_>>())
        .bind(fees().map(|(_, (_, Fee { amount, .. }))| *amount).collect::<Vec<_>>())
        .fetch_one(&mut **tx)
        .await
}

/// What is bound for one parameter: an element a winner.
struct Column<'a>(&'a [(&'a Draft, &'a Win)]);

impl<'a> Column<'a> {
    fn of<T>(&self, value: impl Fn(&'a Draft, &'a Win) -> T) -> Vec<T> {
        self.0.iter().map(|(draft, win)| value(draft, win)).collect()
    }
}

/// Older places of winners that are over make room, unless one has got an open booking since the look.
async fn end_stale(tx: &mut PgTransaction<'_>, winners: &[(&Draft, &Win)]) -> Result<(), Failure> {
    let stale: Vec<(&Draft, &str)> =
        winners.iter().filter_map(|(draft, win)| Some((*draft, win.ends.as_deref()?))).collect();
    if stale.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(
        // ON CONFLICT finds them by their key, see above; they are there
        "INSERT INTO redemptions AS r (drop_id, place, user_id, jti, redeemed_at, expires_at, ended_at)
         SELECT drop_id, place, user_id, '', now, now, now
         FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[]) AS w (drop_id, place, user_id, now)
         ON CONFLICT (drop_id, place) DO UPDATE SET ended_at = EXCLUDED.ended_at
         WHERE r.ended_at IS NULL
           AND (SELECT true FROM bookings b
                WHERE b.drop_id = r.drop_id AND b.place = r.place AND b.status = 'pending') IS NULL",
    )
    .bind(stale.iter().map(|(draft, _)| draft.sale.drop_id.as_str()).collect::<Vec<_>>())
    .bind(stale.iter().map(|(_, place)| *place).collect::<Vec<_>>())
    .bind(stale.iter().map(|(draft, _)| draft.user_id).collect::<Vec<_>>())
    .bind(stale.iter().map(|(draft, _)| draft.now.to_sqlx()).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == stale.len() as u64 { Ok(()) } else { Err(Failure::Torn) }
}
