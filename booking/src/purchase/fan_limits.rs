//! The fan_limits table: how many tickets an account holds or owns in a drop. The CHECK decides.

use sqlx::PgExecutor;
use uuid::Uuid;

/// Violates `fan_limits_within` beyond `maximum`.
pub(crate) async fn add(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    user_id: Uuid,
    quantity: i32,
    maximum: i32,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO fan_limits (drop_id, user_id, quantity, maximum) VALUES ($1, $2, $3, $4)
         ON CONFLICT (drop_id, user_id)
         DO UPDATE SET quantity = fan_limits.quantity + EXCLUDED.quantity, maximum = EXCLUDED.maximum",
    )
    .bind(drop_id)
    .bind(user_id)
    .bind(quantity)
    .bind(maximum)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn give_back(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    user_id: Uuid,
    quantity: i32,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE fan_limits SET quantity = quantity - $3 WHERE drop_id = $1 AND user_id = $2")
        .bind(drop_id)
        .bind(user_id)
        .bind(quantity)
        .execute(db)
        .await?;
    Ok(())
}
