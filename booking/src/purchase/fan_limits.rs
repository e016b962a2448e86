//! The fan_limits table: how many tickets an account holds or owns in a drop. The CHECK decides.

use sqlx::PgExecutor;
use uuid::Uuid;

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

/// The account takes again what it gave back. Violates `fan_limits_within` when it has others instead.
pub(crate) async fn take_again(
    db: impl PgExecutor<'_>,
    drop_id: &str,
    user_id: Uuid,
    quantity: i32,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE fan_limits SET quantity = quantity + $3 WHERE drop_id = $1 AND user_id = $2")
        .bind(drop_id)
        .bind(user_id)
        .bind(quantity)
        .execute(db)
        .await?;
    Ok(())
}
