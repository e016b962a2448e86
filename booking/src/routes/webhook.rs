//! `POST /payments/stripe/webhook`
//!
//! A payload is only a hint that something happened: its signature is checked over the raw bytes, and the
//! outcome is fetched from the provider.

use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use shared::problem::Problem;
use sqlx::PgExecutor;

use crate::app::App;
use crate::error::Error;
use crate::payments::signature;
use crate::purchase::{attempts, settle};

/// The part of an event we look at.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// Of some kinds it has no id, or another shape.
    #[serde(default)]
    data: Value,
}

impl Event {
    /// The intent that may have to be decided about.
    fn intent_id(&self) -> Result<Option<&str>, Error> {
        if !DECISIVE.contains(&self.kind.as_str()) {
            return Ok(None);
        }
        let id = self.data["object"]["id"].as_str();
        id.map(Some).ok_or_else(|| Error::Malformed(format!("{} without an intent", self.kind)))
    }
}

/// After these an intent may have to be decided about; the others are the fan's business.
const DECISIVE: [&str; 3] =
    ["payment_intent.amount_capturable_updated", "payment_intent.succeeded", "payment_intent.canceled"];

/// Hears of a payment from the provider.
///
/// 200 once the event has had its effect; anything else makes the provider deliver it again.
#[utoipa::path(
    post,
    path = "/payments/stripe/webhook",
    operation_id = "receive_stripe_webhook",
    params(("Stripe-Signature" = String, Header, description = "HMAC over the raw body, as Stripe makes it")),
    request_body(content = String, content_type = "text/plain", description = "A Stripe event, byte for byte"),
    responses((status = 200, description = "Heard"), (status = 400, description = "malformed"))
)]
pub(crate) async fn receive(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let now = app.clock.now();
    let stripe = &app.settings.stripe;
    let signed = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signed = signed.ok_or(Error::WebhookSignature)?;
    signature::verify(stripe.webhook_secret.expose_secret(), signed, &body, now, stripe.webhook_tolerance_s)
        .map_err(|_| Error::WebhookSignature)?;
    shared::crash::point("webhook.heard");
    let event: Event =
        serde_json::from_slice(&body).map_err(|error| Error::Malformed(format!("not an event: {error}")))?;
    if let Some(intent_id) = event.intent_id()?
        && !seen(&app.pool, &event.id).await.map_err(Error::from)?
    {
        let about = attempts::booking_of_intent(&app.pool, intent_id).await.map_err(Error::from)?;
        if let Some(booking_id) = about {
            settle::aside(&app, booking_id).await?;
            shared::crash::point("webhook.settled");
        }
    }
    // only now: an event whose effect failed must come again
    remember(&app.pool, &event.id, now).await.map_err(Error::from)?;
    Ok(StatusCode::OK)
}

async fn seen(db: impl PgExecutor<'_>, event_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM webhook_events WHERE event_id = $1)")
        .bind(event_id)
        .fetch_one(db)
        .await
}

async fn remember(db: impl PgExecutor<'_>, event_id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO webhook_events (event_id, received_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(event_id)
        .bind(now.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}
