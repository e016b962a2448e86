//! The redemptions table: a place is used by one account, for good, and an account has one live place a drop.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgExecutor, PgTransaction};
use uuid::Uuid;

use crate::error::{Error, Result};

/// A verified admission in the hands of an account.
pub(crate) struct Redemption<'a> {
    pub(crate) drop_id: &'a str,
    pub(crate) place: &'a str,
    pub(crate) user_id: Uuid,
    pub(crate) jti: &'a str,
    /// The token's end.
    pub(crate) expires_at: Timestamp,
}

/// Binds the place to the account, or finds it bound to it. The row stays locked until the transaction
/// ends, so that one place does one thing at a time.
///
/// # Errors
/// `PlaceBound` when the place has another account or the account another live place; `PlaceEnded`.
pub(crate) async fn redeem(tx: &mut PgTransaction<'_>, wish: &Redemption<'_>, now: Timestamp) -> Result<()> {
    end_stale(&mut **tx, wish, now).await?;
    match bind(&mut **tx, wish, now).await {
        Ok(true) => {}
        Ok(false) => {
            return Err(match owner(&mut **tx, wish.drop_id, wish.place).await? {
                Some(user_id) if user_id == wish.user_id => Error::PlaceEnded,
                _ => Error::PlaceBound("the place belongs to another account"),
            });
        }
        Err(error) if shared::postgres::constraint(&error) == Some("redemptions_one_live_per_account") => {
            return Err(Error::PlaceBound("the account has another place in this drop"));
        }
        Err(error) => return Err(error.into()),
    }
    if left_the_line(&mut **tx, wish.drop_id, wish.place).await? {
        return Err(Error::PlaceEnded);
    }
    Ok(())
}

/// An older place of the account that is over, by its token's end or by admission's word, and that has no open
/// booking makes room.
async fn end_stale(db: impl PgExecutor<'_>, wish: &Redemption<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE redemptions r SET ended_at = $4
         WHERE drop_id = $1 AND user_id = $2 AND place <> $3 AND ended_at IS NULL
           AND (expires_at <= $4
                OR EXISTS (SELECT FROM ended_places e WHERE e.drop_id = r.drop_id AND e.place = r.place))
           AND NOT EXISTS (SELECT FROM bookings b
                           WHERE b.drop_id = r.drop_id AND b.place = r.place AND b.status = 'pending')",
    )
    .bind(wish.drop_id)
    .bind(wish.user_id)
    .bind(wish.place)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(())
}

async fn bind(db: impl PgExecutor<'_>, wish: &Redemption<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO redemptions AS r (drop_id, place, user_id, jti, redeemed_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (drop_id, place) DO UPDATE SET expires_at = GREATEST(r.expires_at, EXCLUDED.expires_at)
         WHERE r.user_id = EXCLUDED.user_id AND r.ended_at IS NULL",
    )
    .bind(wish.drop_id)
    .bind(wish.place)
    .bind(wish.user_id)
    .bind(wish.jti)
    .bind(now.to_sqlx())
    .bind(wish.expires_at.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn owner(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("SELECT user_id FROM redemptions WHERE drop_id = $1 AND place = $2")
        .bind(drop_id)
        .bind(place)
        .fetch_optional(db)
        .await
}

/// What admission wrote down about the line: the word that survives the loss of Redis.
async fn left_the_line(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM ended_places WHERE drop_id = $1 AND place = $2)")
        .bind(drop_id)
        .bind(place)
        .fetch_one(db)
        .await
}

/// Used up, or given up by admission's word.
pub(crate) async fn is_over(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM redemptions WHERE drop_id = $1 AND place = $2 AND ended_at IS NOT NULL)
             OR EXISTS (SELECT FROM ended_places WHERE drop_id = $1 AND place = $2)",
    )
    .bind(drop_id)
    .bind(place)
    .fetch_one(db)
    .await
}

/// The place that keeps the account from using this one.
pub(crate) async fn other_live(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    user_id: Uuid,
    place: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT place FROM redemptions WHERE drop_id = $1 AND user_id = $2 AND place <> $3 AND ended_at IS NULL",
    )
    .bind(drop_id)
    .bind(user_id)
    .bind(place)
    .fetch_optional(db)
    .await
}

/// The place is over; false when it has an open booking, which counts on.
pub(crate) async fn end_idle(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    place: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE redemptions r SET ended_at = $3
         WHERE drop_id = $1 AND place = $2 AND ended_at IS NULL
           AND NOT EXISTS (SELECT FROM bookings b
                           WHERE b.drop_id = r.drop_id AND b.place = r.place AND b.status = 'pending')",
    )
    .bind(drop_id)
    .bind(place)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The place has bought: its token is worth nothing any more.
pub(crate) async fn end(db: impl PgExecutor<'_>, drop_id: &str, place: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE redemptions SET ended_at = $3 WHERE drop_id = $1 AND place = $2 AND ended_at IS NULL")
        .bind(drop_id)
        .bind(place)
        .bind(now.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}
