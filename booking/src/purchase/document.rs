//! What a fan reads about a booking.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::bookings::{Booking, Status};
use super::fees::{self, Fee};
use super::intents::PayableIntent;
use super::tickets::{self, Line};
use super::{attempts, extend};
use crate::app::App;
use crate::error::Result;

const PROVIDER: &str = "stripe";

/// Answer to a checkout.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checkout<'a> {
    booking_id: Uuid,
    status: &'static str,
    tickets: Vec<Line>,
    /// What comes on top of the tickets.
    fees: Vec<Fee>,
    /// Tickets and fees.
    total: Total<'a>,
    expires_at: Timestamp,
    payment: Payment<'a>,
}

#[derive(Serialize, ToSchema)]
struct Total<'a> {
    /// Minor units.
    amount: i64,
    currency: &'a str,
}

/// What the browser needs to confirm the payment with the provider's own script.
#[derive(Serialize, ToSchema)]
struct Payment<'a> {
    provider: &'static str,
    #[schema(required)]
    client_secret: Option<&'a str>,
    publishable_key: &'a str,
}

/// A booking as its fan sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Booking)]
pub(crate) struct Document<'a> {
    booking_id: Uuid,
    event_id: Uuid,
    status: &'static str,
    tickets: Vec<Line>,
    /// What comes on top of the tickets.
    fees: Vec<Fee>,
    /// Tickets and fees.
    total: Total<'a>,
    expires_at: Timestamp,
    /// How often more time can be asked for.
    extensions_left: u32,
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// When the money was taken.
    #[schema(required)]
    captured_at: Option<Timestamp>,
    /// Why it was cancelled; `given-up` while that is under way.
    #[schema(required)]
    reason: Option<&'a str>,
    /// While it can be paid.
    #[schema(required)]
    payment: Option<Payment<'a>>,
}

/// The exact bytes of the answer.
pub(crate) async fn checkout(app: &App, booking: &Booking, intent: &PayableIntent) -> Result<String> {
    let document = Checkout {
        booking_id: booking.booking_id,
        // what it was when the seats were taken: the same answer whenever the request is repeated
        status: Status::Pending.as_str(),
        tickets: tickets::of_booking(&app.pool, booking.booking_id).await?,
        fees: fees::of_booking(&app.pool, booking.booking_id).await?,
        total: Total { amount: booking.total_amount, currency: &booking.currency },
        expires_at: booking.expires_at(),
        payment: payment(app, intent.client_secret.as_deref()),
    };
    Ok(serde_json::to_string(&document).map_err(anyhow::Error::from)?)
}

pub(crate) async fn of(app: &App, booking: &Booking) -> Result<serde_json::Value> {
    let attempt = if booking.is_payable(app.clock.now()) {
        attempts::current(&app.pool, booking.booking_id).await?
    } else {
        None
    };
    let document = Document {
        booking_id: booking.booking_id,
        event_id: booking.event_id,
        status: booking.status.as_str(),
        tickets: tickets::of_booking(&app.pool, booking.booking_id).await?,
        fees: fees::of_booking(&app.pool, booking.booking_id).await?,
        total: Total { amount: booking.total_amount, currency: &booking.currency },
        expires_at: booking.expires_at(),
        extensions_left: extend::left(app, booking),
        completed_at: booking.completed_at(),
        captured_at: booking.captured_at(),
        reason: booking.reason.as_deref(),
        payment: attempt.as_ref().map(|attempt| payment(app, attempt.client_secret.as_deref())),
    };
    Ok(serde_json::to_value(&document).map_err(anyhow::Error::from)?)
}

fn payment<'a>(app: &'a App, client_secret: Option<&'a str>) -> Payment<'a> {
    Payment { provider: PROVIDER, client_secret, publishable_key: &app.settings.stripe.publishable_key }
}
