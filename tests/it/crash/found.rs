//! What the books say of one fan, in a few words.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::shop::{PROVIDER_KEY, Shop};

/// Of the fan's only booking.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    booking_id: Uuid,
    status: String,
    reason: Option<String>,
    captured: bool,
    claims: Option<String>,
    attempts: Option<String>,
}

const ROW: &str = "
    SELECT booking_id, status, reason, captured_at IS NOT NULL AS captured,
           (SELECT string_agg(DISTINCT state, ', ') FROM claims c WHERE c.booking_id = b.booking_id) AS claims,
           (SELECT string_agg(status, ', ' ORDER BY created_at) FROM payment_attempts a
            WHERE a.booking_id = b.booking_id) AS attempts
    FROM bookings b WHERE user_id = $1 ORDER BY booking_date";

/// A sentence; `None` for the booking when there is none.
pub(super) async fn of(shop: &Shop, user: Uuid) -> (Vec<Uuid>, String) {
    let rows: Vec<Row> = sqlx::query_as(ROW).bind(user).fetch_all(&shop.pool).await.expect("bookings");
    let undone: Vec<String> = sqlx::query_scalar("SELECT kind FROM outbox WHERE done_at IS NULL ORDER BY outbox_id")
        .fetch_all(&shop.pool)
        .await
        .expect("jobs");
    let intents = intents(shop).await;
    let mut words = Vec::new();
    for row in &rows {
        let mut status = row.status.clone();
        if let Some(reason) = &row.reason {
            status += &format!(" ({reason})");
        }
        if row.captured {
            status += ", money taken";
        }
        let at_provider = intents.get(&row.booking_id).map_or("no intent".to_owned(), |all| all.join(", "));
        words.push(format!(
            "{status}; claims {}; attempt {}; provider: {at_provider}",
            row.claims.as_deref().unwrap_or("none"),
            row.attempts.as_deref().unwrap_or("none"),
        ));
    }
    if rows.is_empty() {
        words.push("no booking".to_owned());
    }
    if !undone.is_empty() {
        words.push(format!("to do: {}", undone.join(", ")));
    }
    (rows.iter().map(|row| row.booking_id).collect(), words.join("; "))
}

/// The states of the provider's intents, by booking.
async fn intents(shop: &Shop) -> BTreeMap<Uuid, Vec<String>> {
    let (client, url) = (reqwest::Client::new(), format!("{}/v1/payment_intents", shop.provider_url));
    let query = [("limit", "100"), ("expand[]", "data.latest_charge")];
    let answer = client.get(url).query(&query).bearer_auth(PROVIDER_KEY).send().await.expect("the sandbox answers");
    let page: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    let mut by_booking: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for intent in page["data"].as_array().into_iter().flatten() {
        let Some(booking) = intent["metadata"]["booking_id"].as_str().and_then(|id| id.parse().ok()) else { continue };
        let mut words = intent["status"].as_str().unwrap_or_default().replace('_', " ");
        if intent["latest_charge"]["amount_refunded"].as_i64().is_some_and(|amount| amount > 0) {
            words += ", refunded";
        }
        by_booking.entry(booking).or_default().push(words);
    }
    by_booking
}

pub(super) async fn is_captured(pool: &PgPool, booking: Uuid) -> bool {
    holds(pool, booking, "status = 'completed' AND captured_at IS NOT NULL").await
}

pub(super) async fn is_cancelled(pool: &PgPool, booking: Uuid) -> bool {
    holds(pool, booking, "status = 'cancelled'").await
}

async fn holds(pool: &PgPool, booking: Uuid, condition: &'static str) -> bool {
    let query = format!("SELECT EXISTS (SELECT FROM bookings WHERE booking_id = $1 AND {condition})");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(booking).fetch_one(pool).await.expect("an answer")
}
