//! Marks in Postgres, one query a function.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection, PgPool, types::Json};

use crate::{
    ids::{DropId, Place},
    line::{EndReason, Recorded, Trace},
};

/// A line's marks. Several processes write them; see [`write`].
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(super) struct Mark {
    pub(super) epoch: i64,
    pub(super) last_key: i64,
    pub(super) highest_called: i64,
    pub(super) ended_seq: i64,
    pub(super) granted_seq: i64,
    /// Fields of the control that stand nowhere else.
    pub(super) carried: Json<BTreeMap<String, String>>,
}

#[derive(FromRow)]
struct Row {
    place: String,
    order_key: i64,
    called_at: i64,
    granted_at: i64,
    session_ends: i64,
    given_up: bool,
    reason: Option<String>,
}

/// Keeps other processes from restoring the same line, and from writing what they read of it before, until `db`'s
/// transaction ends; `false` when one of them is at it.
pub(super) async fn try_lock(db: &mut PgConnection, drop: &DropId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('line ' || $1, 0))")
        .bind(drop.as_str())
        .fetch_one(db)
        .await
}

/// Keeps all processes from restoring the line until `db`'s transaction ends; `false` when one is at it.
pub(super) async fn try_share(db: &mut PgConnection, drop: &DropId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock_shared(hashtextextended('line ' || $1, 0))")
        .bind(drop.as_str())
        .fetch_one(db)
        .await
}

/// Fails when `db`'s transaction, and any lock with it, has ended; keeps it from ending for silence.
pub(super) async fn still_locked(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(db).await?;
    Ok(())
}

/// Whether `epoch` of a line is its last.
pub(super) async fn is_latest(db: &mut PgConnection, drop: &DropId, epoch: u64) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM line_marks WHERE drop_id = $1 AND epoch > $2)")
        .bind(drop.as_str())
        .bind(signed(epoch))
        .fetch_one(db)
        .await
}

pub(super) async fn read(pool: &PgPool, drop: &DropId) -> sqlx::Result<Option<Mark>> {
    sqlx::query_as(
        "SELECT epoch, last_key, highest_called, ended_seq, granted_seq, carried FROM line_marks WHERE drop_id = $1",
    )
    .bind(drop.as_str())
    .fetch_optional(pool)
    .await
}

/// An older epoch never replaces a newer one, marks only grow within one. `false` when there is a newer one.
pub(super) async fn write(db: &mut PgConnection, drop: &DropId, mark: &Mark) -> sqlx::Result<bool> {
    let written = sqlx::query(
        "INSERT INTO line_marks (drop_id, epoch, last_key, highest_called, ended_seq, granted_seq, carried) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (drop_id) DO UPDATE SET epoch = $2, last_key = GREATEST(line_marks.last_key, $3), \
             highest_called = GREATEST(line_marks.highest_called, $4), \
             ended_seq = CASE WHEN line_marks.epoch = $2 THEN GREATEST(line_marks.ended_seq, $5) ELSE $5 END, \
             granted_seq = GREATEST(line_marks.granted_seq, $6), carried = $7, updated_at = now() \
         WHERE line_marks.epoch <= $2",
    )
    .bind(drop.as_str())
    .bind(mark.epoch)
    .bind(mark.last_key)
    .bind(mark.highest_called)
    .bind(mark.ended_seq)
    .bind(mark.granted_seq)
    .bind(&mark.carried)
    .execute(db)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// A place ends once; only that it was given up may come later.
pub(super) async fn write_ends(db: &mut PgConnection, drop: &DropId, ends: &[Recorded]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO ended_places (drop_id, place, reason, order_key, granted_at, given_up) \
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bool[]) \
         ON CONFLICT (drop_id, place) DO UPDATE SET given_up = true WHERE EXCLUDED.given_up",
    )
    .bind(drop.as_str())
    .bind(column(ends, |end| end.place.to_string()))
    .bind(column(ends, |end| end.trace.ended.map_or("", EndReason::as_str)))
    .bind(column(ends, |end| signed(end.trace.key)))
    .bind(column(ends, |end| signed(end.trace.granted_at)))
    .bind(column(ends, |end| end.trace.given_up))
    .execute(db)
    .await?;
    Ok(())
}

/// Granting twice is the same admission: the first one stands.
pub(super) async fn write_grants(db: &mut PgConnection, drop: &DropId, grants: &[Recorded]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO line_grants (drop_id, place, order_key, called_at, granted_at, session_ends) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(drop.as_str())
    .bind(column(grants, |grant| grant.place.to_string()))
    .bind(column(grants, |grant| signed(grant.trace.key)))
    .bind(column(grants, |grant| signed(grant.trace.called_at)))
    .bind(column(grants, |grant| signed(grant.trace.granted_at)))
    .bind(column(grants, |grant| signed(grant.trace.session_ends)))
    .execute(db)
    .await?;
    Ok(())
}

/// Every place that has ended, in the order of the ends.
pub(super) async fn ended(db: &mut PgConnection, drop: &DropId) -> sqlx::Result<Vec<(Place, Trace)>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT place, order_key, 0::bigint AS called_at, granted_at, 0::bigint AS session_ends, given_up, reason \
           FROM ended_places WHERE drop_id = $1 ORDER BY ended_at, place",
    );
    read_traces(rows.bind(drop.as_str()).fetch_all(db).await?)
}

/// Every place that was admitted and has not ended.
pub(super) async fn inside(db: &mut PgConnection, drop: &DropId) -> sqlx::Result<Vec<(Place, Trace)>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT place, order_key, called_at, granted_at, session_ends, false AS given_up, NULL AS reason \
           FROM line_grants g WHERE drop_id = $1 \
            AND NOT EXISTS (SELECT FROM ended_places e WHERE e.drop_id = g.drop_id AND e.place = g.place) \
          ORDER BY granted_at, place",
    );
    read_traces(rows.bind(drop.as_str()).fetch_all(db).await?)
}

/// Drops that ended more than a day ago and whose line has not been removed from Redis; a few at a time.
pub(super) async fn to_sweep(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT drop_id FROM drops LEFT JOIN line_marks USING (drop_id) \
          WHERE state = 'ended' AND drops.updated_at <= now() - interval '1 day' AND swept_at IS NULL \
          ORDER BY drops.updated_at LIMIT 100",
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn swept(pool: &PgPool, drop: &DropId) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO line_marks (drop_id, epoch, last_key, highest_called, swept_at) VALUES ($1, 0, 0, 0, now()) \
         ON CONFLICT (drop_id) DO UPDATE SET swept_at = now()",
    )
    .bind(drop.as_str())
    .execute(pool)
    .await?;
    Ok(())
}

fn read_traces(rows: Vec<Row>) -> sqlx::Result<Vec<(Place, Trace)>> {
    let unreadable = || sqlx::Error::Decode("a place's marks are unreadable".into());
    rows.into_iter()
        .map(|row| {
            let place = Place::parse(&row.place).ok_or_else(unreadable)?;
            let ended = match &row.reason {
                Some(reason) => Some(EndReason::parse(reason).ok_or_else(unreadable)?),
                None => None,
            };
            let trace = Trace {
                key: row.order_key.unsigned_abs(),
                called_at: row.called_at.unsigned_abs(),
                granted_at: row.granted_at.unsigned_abs(),
                session_ends: row.session_ends.unsigned_abs(),
                given_up: row.given_up,
                ended,
            };
            Ok((place, trace))
        })
        .collect()
}

fn column<T>(rows: &[Recorded], of: impl Fn(&Recorded) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Postgres has no unsigned type; microseconds and counters stay far below its limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
