//! `POST /booking/{booking_id}/cancel`

use axum::extract::State;
use http::StatusCode;
use serde_json::Value;
use shared::json::{Json, Path};
use shared::problem::Problem;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::cancel::{self, Cancelled};
use crate::purchase::document::Document;

/// Gives a booking up before it is paid. Cancelling twice changes nothing. With 202 that is written down: nothing can
/// be bought with it any more, and the seats are free when the provider has cancelled the payment.
#[utoipa::path(
    post,
    path = "/booking/{booking_id}/cancel",
    operation_id = "cancel_booking",
    params(
        ("booking_id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters: repeated under it within 24 hours, the request is done once")
    ),
    responses(
        (status = 200, description = "The cancelled booking", body = Document<'_>),
        (status = 202, description = "Being cancelled", body = Document<'_>),
        (status = 404, description = "booking"),
        (status = 409, description = "booking-completed, in-flight"),
        (status = 422, description = "idempotency-mismatch"),
        (status = 429, description = "rate-limited")
    ),
    security(("session" = []))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    fan: Fan,
    Path(booking_id): Path<String>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let booking_id = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    Ok(match cancel::cancel(&app, fan.user_id, booking_id).await? {
        Cancelled::Done(booking) => (StatusCode::OK, Json(booking)),
        Cancelled::UnderWay(booking) => (StatusCode::ACCEPTED, Json(booking)),
    })
}
