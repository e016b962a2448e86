//! What the decision needs: locks first, then a look behind them.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgConnection, PgExecutor, Row as _};
use uuid::Uuid;

use super::{Wanted, Wish};
use crate::purchase::counter::lock_places;

/// What stands in the way of a wish, whatever the seats.
#[derive(Clone, Debug, Default, FromRow)]
pub(super) struct Facts {
    /// The account's idempotency key was used.
    pub(super) key_in_use: bool,
    /// What the place was redeemed to.
    #[sqlx(skip)]
    pub(super) redeemed: Option<Redeemed>,
    /// Admission's word: the place was given up.
    pub(super) has_left: bool,
    /// The account's other live place in the drop …
    pub(super) other: Option<String>,
    /// … which is over and has no open booking: it makes room.
    pub(super) other_is_stale: bool,
    /// The place's open booking.
    pub(super) open: Option<Uuid>,
    /// Tickets the account holds or owns in the drop, if it ever had any.
    pub(super) quantity: Option<i32>,
    /// Locked tickets with a live claim: of all wishes, told with the first one.
    claimed: Option<Vec<i64>>,
}

/// A place that has been used, as it stands behind its lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redeemed {
    /// Whom it is bound to.
    pub(super) owner: Uuid,
    /// It has bought, or made room for another one.
    pub(super) has_ended: bool,
}

/// A ticket as it stands behind the locks.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) event_id: Uuid,
    pub(super) ordinal: u32,
    /// Minor units.
    pub(super) price: i64,
    /// Available, without a live claim.
    pub(super) free: bool,
    /// Nobody else can take it before this transaction ends.
    pub(super) locked: bool,
    /// When it came back, if others waited for it.
    pub(super) returned_at: Option<Timestamp>,
}

pub(super) type Seats = HashMap<i64, Seat>;

/// Of the tickets table.
#[derive(FromRow)]
struct Row {
    ticket_id: i64,
    event_id: Uuid,
    ordinal: i32,
    price: i64,
    free: bool,
    returned_at: Option<jiff_sqlx::Timestamp>,
}

impl Row {
    fn seat(self, locked: bool) -> (i64, Seat) {
        let Row { ticket_id, event_id, ordinal, price, free, returned_at } = self;
        let ordinal = u32::try_from(ordinal).unwrap_or_default(); // never negative
        let returned_at = returned_at.map(jiff_sqlx::Timestamp::to_jiff);
        (ticket_id, Seat { event_id, ordinal, price, free, locked, returned_at })
    }
}

/// What is locked, until the transaction ends.
pub(super) struct Locked {
    /// In the order of the wishes. A place that was not redeemed before cannot be locked: its redemption is inserted, once.
    pub(super) places: Vec<Option<Redeemed>>,
    pub(super) seats: Seats,
}

/// Locks places, then tickets by id. Tickets that are gone already are left alone: of many who want a sold seat, nobody
/// waits for anybody. Whoever was waited for may have claimed a ticket: that is seen by [`facts`] only.
pub(super) async fn lock(db: &mut PgConnection, wishes: &[Wish]) -> sqlx::Result<Locked> {
    let (mut exactly, mut first_of) = (Vec::new(), Vec::new());
    for wish in wishes {
        let some = if matches!(wish.wanted, Wanted::Exactly(_)) { &mut exactly } else { &mut first_of };
        some.extend(wish.tickets());
    }
    // no ticket before every place
    let rows = sqlx::query(lock_places!(
        ", waited AS MATERIALIZED (
             SELECT ticket_id, event_id, ordinal, price, returned_at FROM tickets t
             WHERE (SELECT count(*) FROM places) >= 0 AND ticket_id = ANY($3) AND status = 'available'
               AND (SELECT true FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live) IS NULL
             ORDER BY ticket_id FOR UPDATE OF t)
         SELECT NULL::bigint AS position, NULL::uuid AS owner, NULL::boolean AS has_ended,
                ticket_id, event_id, ordinal, price, true AS free, returned_at FROM waited
         UNION ALL
         SELECT position, user_id, ended_at IS NOT NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM places",
    ))
    .bind(drop_ids(wishes))
    .bind(places(wishes))
    .bind(exactly)
    .fetch_all(&mut *db)
    .await?;
    let mut locked = Locked { places: vec![None; wishes.len()], seats: Seats::with_capacity(rows.len()) };
    for row in rows {
        match row.try_get::<Option<i64>, _>("position")?.and_then(|position| usize::try_from(position - 1).ok()) {
            None => locked.seats.extend([Row::from_row(&row)?.seat(true)]),
            Some(index) => {
                let redeemed = Redeemed { owner: row.try_get("owner")?, has_ended: row.try_get("has_ended")? };
                locked.places[index] = Some(redeemed);
            }
        }
    }
    if !first_of.is_empty() {
        locked.seats.extend(lock_free(db, &first_of).await?.into_iter().map(|row| row.seat(true)));
    }
    Ok(locked)
}

/// Those that nobody else is deciding about: nobody waits.
async fn lock_free(db: impl PgExecutor<'_>, ticket_ids: &[i64]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT ticket_id, event_id, ordinal, price, true AS free, returned_at FROM tickets t
         WHERE ticket_id = ANY($1) AND status = 'available'
           AND (SELECT true FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live) IS NULL
         ORDER BY ticket_id FOR UPDATE OF t SKIP LOCKED",
    )
    .bind(ticket_ids)
    .fetch_all(db)
    .await
}

/// In the order of the wishes, by a statement of its own: it sees what whoever had the locks before has committed, and
/// marks the `locked` seats that he took. Subqueries of at most one row each: looked up by index, whatever the planner
/// knows of the tables' sizes.
pub(super) async fn facts(db: impl PgExecutor<'_>, wishes: &[Wish], locked: &mut Locked) -> sqlx::Result<Vec<Facts>> {
    let mut facts: Vec<Facts> = sqlx::query_as(
        "SELECT (SELECT true FROM idempotency i WHERE i.user_id = w.user_id AND i.key = w.key) IS NOT NULL AS key_in_use,
                (SELECT true FROM ended_places e WHERE e.drop_id = w.drop_id AND e.place = w.place) IS NOT NULL AS has_left,
                o.place AS other,
                COALESCE(o.is_stale, false) AS other_is_stale,
                -- a place without a redemption has no booking
                CASE WHEN w.was_redeemed THEN
                    (SELECT booking_id FROM bookings b
                     WHERE b.drop_id = w.drop_id AND b.place = w.place AND b.status = 'pending') END AS open,
                (SELECT quantity FROM fan_limits l WHERE l.drop_id = w.drop_id AND l.user_id = w.user_id) AS quantity,
                CASE WHEN position = 1 THEN
                    ARRAY(SELECT ticket_id FROM claims c WHERE c.ticket_id = ANY($7) AND c.is_live) END AS claimed
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[])
                  WITH ORDINALITY AS w (user_id, key, drop_id, place, now, was_redeemed, position)
              LEFT JOIN LATERAL (
                  SELECT o.place,
                         (o.expires_at <= w.now
                          OR (SELECT true FROM ended_places e WHERE e.drop_id = o.drop_id AND e.place = o.place) IS NOT NULL)
                         AND (SELECT true FROM bookings b WHERE b.drop_id = o.drop_id AND b.place = o.place
                                                            AND b.status = 'pending') IS NULL AS is_stale
                  FROM redemptions o
                  WHERE o.drop_id = w.drop_id AND o.user_id = w.user_id AND o.ended_at IS NULL AND o.place <> w.place
                  LIMIT 1) o ON true
         ORDER BY position",
    )
    .bind(wishes.iter().map(|wish| wish.draft.user_id).collect::<Vec<_>>())
    .bind(wishes.iter().map(|wish| wish.draft.key.as_str()).collect::<Vec<_>>())
    .bind(drop_ids(wishes))
    .bind(places(wishes))
    .bind(wishes.iter().map(|wish| wish.draft.now.to_sqlx()).collect::<Vec<_>>())
    .bind(locked.places.iter().map(Option::is_some).collect::<Vec<_>>())
    .bind(locked.seats.keys().copied().collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    for (facts, redeemed) in facts.iter_mut().zip(&locked.places) {
        facts.redeemed = *redeemed;
    }
    let claimed = facts.first_mut().and_then(|first| first.claimed.take());
    for ticket_id in claimed.into_iter().flatten() {
        if let Some(seat) = locked.seats.get_mut(&ticket_id) {
            seat.free = false;
        }
    }
    Ok(facts)
}

/// The other tickets that are wanted: somebody has them, or was deciding about them.
pub(super) async fn others(db: impl PgExecutor<'_>, wishes: &[Wish], locked: &Seats) -> sqlx::Result<Seats> {
    let others: Vec<i64> =
        wishes.iter().flat_map(Wish::tickets).filter(|ticket_id| !locked.contains_key(ticket_id)).collect();
    if others.is_empty() {
        return Ok(Seats::new());
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT ticket_id, event_id, ordinal, price, returned_at,
                status = 'available'
                AND (SELECT true FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live) IS NULL AS free
         FROM tickets t WHERE ticket_id = ANY($1)",
    )
    .bind(others)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.seat(false)).collect())
}

fn drop_ids(wishes: &[Wish]) -> Vec<&str> {
    wishes.iter().map(|wish| wish.draft.sale.drop_id.as_str()).collect()
}

fn places(wishes: &[Wish]) -> Vec<&str> {
    wishes.iter().map(|wish| wish.draft.place.as_str()).collect()
}
