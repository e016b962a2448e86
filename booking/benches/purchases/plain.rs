//! The same two transactions as they are written for one booking: a statement for each row, one after the other. What
//! one caller alone would wait for without the counter.

use anyhow::ensure;
use booking::purchase::reserve::Draft;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) async fn checkout(pool: &PgPool, draft: &Draft, drop_id: &str, ticket: i64) -> anyhow::Result<()> {
    let (place, now) = (&draft.place, draft.now.to_sqlx());
    let mut tx = pool.begin().await?;
    sqlx::query(
        "INSERT INTO idempotency (user_id, key, fingerprint, booking_id, locked_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (user_id, key) DO NOTHING",
    )
    .bind(draft.user_id)
    .bind(&draft.key)
    .bind(draft.fingerprint.as_slice())
    .bind(draft.booking_id)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE redemptions r SET ended_at = $4
         WHERE drop_id = $1 AND user_id = $2 AND place <> $3 AND ended_at IS NULL
           AND (expires_at <= $4
                OR EXISTS (SELECT FROM ended_places e WHERE e.drop_id = r.drop_id AND e.place = r.place))
           AND NOT EXISTS (SELECT FROM bookings b
                           WHERE b.drop_id = r.drop_id AND b.place = r.place AND b.status = 'pending')",
    )
    .bind(drop_id)
    .bind(draft.user_id)
    .bind(place)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO redemptions AS r (drop_id, place, user_id, jti, redeemed_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (drop_id, place) DO UPDATE SET expires_at = GREATEST(r.expires_at, EXCLUDED.expires_at)
         WHERE r.user_id = EXCLUDED.user_id AND r.ended_at IS NULL",
    )
    .bind(drop_id)
    .bind(place)
    .bind(draft.user_id)
    .bind(&draft.jti)
    .bind(now)
    .bind(draft.admitted_until.to_sqlx())
    .execute(&mut *tx)
    .await?;
    let has_left: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM ended_places WHERE drop_id = $1 AND place = $2)")
            .bind(drop_id)
            .bind(place)
            .fetch_one(&mut *tx)
            .await?;
    let open: Option<Uuid> =
        sqlx::query_scalar("SELECT booking_id FROM bookings WHERE drop_id = $1 AND place = $2 AND status = 'pending'")
            .bind(drop_id)
            .bind(place)
            .fetch_optional(&mut *tx)
            .await?;
    ensure!(!has_left && open.is_none(), "the place is used");
    let price: i64 = sqlx::query_scalar(
        "SELECT price FROM tickets WHERE ticket_id = ANY($1) AND status = 'available' ORDER BY ticket_id FOR UPDATE",
    )
    .bind([ticket].as_slice())
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO bookings (booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity,
                               booking_date, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'USD', 1, $7, $8)",
    )
    .bind(draft.booking_id)
    .bind(draft.user_id)
    .bind(draft.event_id)
    .bind(drop_id)
    .bind(place)
    .bind(price)
    .bind(now)
    .bind(draft.expires_at.to_sqlx())
    .execute(&mut *tx)
    .await?;
    let claimed = sqlx::query(
        "INSERT INTO claims (booking_id, ticket_id, created_at)
         SELECT $1, ticket_id, $3 FROM unnest($2::bigint[]) AS wanted (ticket_id) ORDER BY ticket_id
         ON CONFLICT (ticket_id) WHERE is_live DO NOTHING",
    )
    .bind(draft.booking_id)
    .bind([ticket].as_slice())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    ensure!(claimed.rows_affected() == 1, "the seat is taken");
    sqlx::query(
        "INSERT INTO fan_limits (drop_id, user_id, quantity, maximum) VALUES ($1, $2, 1, 8)
         ON CONFLICT (drop_id, user_id)
         DO UPDATE SET quantity = fan_limits.quantity + EXCLUDED.quantity, maximum = EXCLUDED.maximum",
    )
    .bind(drop_id)
    .bind(draft.user_id)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO payment_attempts (attempt_id, booking_id, created_at)
         SELECT $1, booking_id, $3 FROM bookings
         WHERE booking_id = $2 AND status = 'pending' AND phase = 'open' FOR SHARE",
    )
    .bind(Uuid::new_v4())
    .bind(draft.booking_id)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

pub(crate) async fn decide(pool: &PgPool, booking_id: Uuid, intent_id: &str, now: Timestamp) -> anyhow::Result<()> {
    let now = now.to_sqlx();
    let mut tx = pool.begin().await?;
    let (user_id, drop_id, place): (Uuid, String, String) = sqlx::query_as(
        "SELECT user_id, drop_id, place FROM bookings WHERE booking_id = $1 AND status = 'pending' FOR UPDATE",
    )
    .bind(booking_id)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query("UPDATE redemptions SET ended_at = $3 WHERE drop_id = $1 AND place = $2 AND ended_at IS NULL")
        .bind(&drop_id)
        .bind(&place)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "SELECT FROM tickets WHERE ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1)
         ORDER BY ticket_id FOR UPDATE",
    )
    .bind(booking_id)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE claims SET state = 'sold' WHERE booking_id = $1 AND state = 'held'")
        .bind(booking_id)
        .execute(&mut *tx)
        .await?;
    let purchased = sqlx::query(
        "UPDATE tickets SET status = 'purchased', user_id = $2, booking_id = $1, purchase_date = $3
         WHERE status = 'available'
           AND ticket_id IN (SELECT ticket_id FROM claims WHERE booking_id = $1 AND state = 'sold')",
    )
    .bind(booking_id)
    .bind(user_id)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    ensure!(purchased.rows_affected() == 1, "the seat is gone");
    sqlx::query(
        "UPDATE bookings SET status = 'completed', phase = 'closed', completed_at = $3, intent_id = $2
         WHERE booking_id = $1 AND status = 'pending'",
    )
    .bind(booking_id)
    .bind(intent_id)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE payment_attempts SET status = 'won' WHERE intent_id = $1")
        .bind(intent_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "UPDATE payment_attempts SET status = 'void'
         WHERE booking_id = $1 AND status <> 'void' AND ($2::text IS NULL OR intent_id IS DISTINCT FROM $2)
         RETURNING intent_id",
    )
    .bind(booking_id)
    .bind(intent_id)
    .fetch_all(&mut *tx)
    .await?;
    for kind in ["capture", "end-place"] {
        sqlx::query("INSERT INTO outbox (kind, body, run_at, created_at) VALUES ($1, $2, $3, $3) RETURNING outbox_id")
            .bind(kind)
            .bind(serde_json::json!({ "booking_id": booking_id, "intent_id": intent_id }))
            .bind(now)
            .fetch_one(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}
