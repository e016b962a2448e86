//! `POST /booking/{booking_id}/extend`

use axum::Extension;
use axum::extract::State;
use serde_json::Value;
use shared::json::{Json, Path};
use shared::problem::Problem;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::document::Document;
use crate::purchase::extend;
use crate::purchase::idempotency::Under;

/// Asks for more time to pay. `extensions_left` tells how often that can be done yet.
#[utoipa::path(
    post,
    path = "/booking/{booking_id}/extend",
    operation_id = "extend_booking",
    params(
        ("booking_id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters: repeated under it within 24 hours, the request is done once")
    ),
    responses(
        (status = 200, description = "The booking with its new end", body = Document<'_>),
        (status = 404, description = "booking"),
        (status = 409, description = "extension, booking-completed, in-flight"),
        (status = 410, description = "booking-expired"),
        (status = 422, description = "idempotency-mismatch"),
        (status = 429, description = "rate-limited")
    ),
    security(("session" = []))
)]
pub(crate) async fn extend(
    State(app): State<App>,
    fan: Fan,
    under: Option<Extension<Under>>,
    Path(booking_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let booking_id = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    Ok(Json(extend::extend(&app, fan.user_id, booking_id, under.as_deref()).await?))
}
