//! Moved places in Postgres: who holds one must not be forgotten with Redis, or two devices would have it.

use sqlx::{PgConnection, PgPool};

use super::{MarksError, RESTORED_AT_ONCE, rows};
use crate::{
    ids::{DropId, Place},
    line::{KEPT_AT_ONCE, Line, Marks, Move},
};

/// Writes down what moved since the last time.
pub(super) async fn keep(pool: &PgPool, line: &Line, drop: &DropId, marks: &Marks) -> Result<(), MarksError> {
    let moved = marks.number("moves_seq").saturating_sub(marks.number("moves_written"));
    for _ in 0..moved.div_ceil(KEPT_AT_ONCE as u64) {
        let (epoch, last, moves) = line.unwritten_moves(drop).await?;
        if !moves.is_empty() {
            write(pool, drop, epoch, &moves).await?;
        }
        line.moves_written(drop, epoch, last).await?;
    }
    Ok(())
}

/// Tells a line that is being restored who holds what.
pub(super) async fn put_back(lock: &mut PgConnection, line: &Line, drop: &DropId) -> Result<(), MarksError> {
    for some in all(lock, drop).await?.chunks(RESTORED_AT_ONCE) {
        line.restore_moves(drop, some).await?;
        rows::still_locked(lock).await?;
    }
    Ok(())
}

/// Nothing of an epoch that was restored meanwhile: Redis may have given the same generation to somebody else.
async fn write(pool: &PgPool, drop: &DropId, epoch: u64, moves: &[Move]) -> Result<(), MarksError> {
    let mut tx = pool.begin().await?;
    if !rows::try_share(&mut tx, drop).await? || !rows::is_latest(&mut tx, drop, epoch).await? {
        return Err(MarksError::Overtaken);
    }
    insert(&mut tx, drop, moves).await?;
    Ok(tx.commit().await?)
}

async fn insert(db: &mut PgConnection, drop: &DropId, moves: &[Move]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO line_moves (drop_id, place, generation, own, visitor_hash) \
         SELECT $1, * FROM unnest($2::text[], $3::int[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING",
    )
    .bind(drop.as_str())
    .bind(moves.iter().map(|one| one.place.to_string()).collect::<Vec<_>>())
    .bind(moves.iter().map(|one| i32::try_from(one.generation).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(moves.iter().map(|one| one.own.to_string()).collect::<Vec<_>>())
    .bind(moves.iter().map(|one| one.visitor_hash.as_slice()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

async fn all(db: &mut PgConnection, drop: &DropId) -> sqlx::Result<Vec<Move>> {
    let rows: Vec<(String, i32, String, Vec<u8>)> = sqlx::query_as(
        "SELECT place, generation, own, visitor_hash FROM line_moves WHERE drop_id = $1 ORDER BY place, generation",
    )
    .bind(drop.as_str())
    .fetch_all(db)
    .await?;
    let unreadable = || sqlx::Error::Decode(format!("line_moves of {drop} is unreadable").into());
    rows.into_iter()
        .map(|(place, generation, own, visitor_hash)| {
            Ok(Move {
                place: Place::parse(&place).ok_or_else(unreadable)?,
                generation: generation.unsigned_abs(),
                own: Place::parse(&own).ok_or_else(unreadable)?,
                visitor_hash: visitor_hash.try_into().map_err(|_| unreadable())?,
            })
        })
        .collect()
}
