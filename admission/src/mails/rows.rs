//! Wishes in Postgres, one query a function.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, PgPool};

use crate::ids::{DropId, Place};

/// A place whose fan is to be written to now.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) place: Place,
    pub(super) sealed: Vec<u8>,
    /// In microseconds of drop time: it tells one call of a place from another.
    pub(super) called_at: u64,
    pub(super) deadline: Timestamp,
}

/// Wishes of places that wait; a later address replaces an earlier one.
pub(super) async fn keep(db: &mut PgConnection, drop: &DropId, wishes: &[(Place, Vec<u8>)]) -> sqlx::Result<()> {
    let (places, sealed): (Vec<_>, Vec<_>) =
        wishes.iter().map(|(place, sealed)| (place.to_string(), sealed.as_slice())).unzip();
    sqlx::query(
        "INSERT INTO turn_mails (drop_id, place, sealed) SELECT $1, * FROM unnest($2::text[], $3::bytea[]) \
         ON CONFLICT (drop_id, place) DO UPDATE SET sealed = EXCLUDED.sealed, deadline = NULL, queued_at = NULL \
         WHERE turn_mails.sealed IS NULL OR turn_mails.deadline IS NULL",
    )
    .bind(drop.as_str())
    .bind(places)
    .bind(sealed)
    .execute(db)
    .await?;
    Ok(())
}

/// Their turn has come: the notifier finds them. Telling of a call twice changes nothing.
pub(super) async fn call(db: &mut PgConnection, drop: &DropId, turns: &[Turn]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO turn_mails (drop_id, place, sealed, called_at, deadline) \
         SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::timestamptz[]) \
         ON CONFLICT (drop_id, place) DO UPDATE SET sealed = EXCLUDED.sealed, called_at = EXCLUDED.called_at, \
             deadline = EXCLUDED.deadline, queued_at = NULL \
         WHERE turn_mails.called_at IS DISTINCT FROM EXCLUDED.called_at",
    )
    .bind(drop.as_str())
    .bind(turns.iter().map(|turn| turn.place.to_string()).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.sealed.as_slice()).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| i64::try_from(turn.called_at).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.deadline.to_sqlx()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Nobody is to be written to there any more: withdrawn, or over before it was called.
pub(super) async fn forget(db: &mut PgConnection, drop: &DropId, places: &[Place]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM turn_mails WHERE drop_id = $1 AND place = ANY($2) AND deadline IS NULL")
        .bind(drop.as_str())
        .bind(places.iter().map(Place::to_string).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

/// Whether anybody who waits in this drop asked for a mail.
pub(super) async fn has_wishes(pool: &PgPool, drop: &DropId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM turn_mails WHERE drop_id = $1 AND deadline IS NULL)")
        .bind(drop.as_str())
        .fetch_one(pool)
        .await
}

/// Drops that have ended with addresses left.
pub(super) async fn ended(pool: &PgPool) -> sqlx::Result<Vec<DropId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT drop_id FROM drops d WHERE state = 'ended' \
            AND EXISTS (SELECT FROM turn_mails t WHERE t.drop_id = d.drop_id AND sealed IS NOT NULL)",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.iter().filter_map(|id| DropId::parse(id)).collect())
}

/// Nobody of this drop is called any more, nor may those who were still claim: who is not written to yet never is.
pub(super) async fn forget_all(pool: &PgPool, drop: &DropId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM turn_mails WHERE drop_id = $1 AND sealed IS NOT NULL")
        .bind(drop.as_str())
        .execute(pool)
        .await?;
    Ok(())
}

/// The wishes of places that wait, `limit` of those behind `after`, in order of place.
pub(crate) async fn waiting(
    db: &mut PgConnection,
    drop: &DropId,
    after: Option<Place>,
    limit: i64,
) -> sqlx::Result<Vec<(Place, Vec<u8>)>> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT place, sealed FROM turn_mails \
          WHERE drop_id = $1 AND place > $2 AND sealed IS NOT NULL AND deadline IS NULL ORDER BY place LIMIT $3",
    )
    .bind(drop.as_str())
    .bind(after.map(|place| place.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(db)
    .await?;
    let unreadable = || sqlx::Error::Decode(format!("turn_mails of {drop} is unreadable").into());
    rows.into_iter().map(|(place, sealed)| Ok((Place::parse(&place).ok_or_else(unreadable)?, sealed))).collect()
}
