//! `GET /booking/{booking_id}`

use axum::extract::State;
use serde_json::Value;
use shared::json::{Json, Path};
use shared::problem::Problem;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::document::Document;
use crate::purchase::{bookings, document};

/// A booking as its fan sees it. What is no id names no booking.
#[utoipa::path(
    get,
    path = "/booking/{booking_id}",
    operation_id = "show_booking",
    params(("booking_id" = Uuid, Path)),
    responses((status = 200, description = "The booking", body = Document<'_>), (status = 404, description = "booking")),
    security(("session" = []))
)]
pub(crate) async fn show(
    State(app): State<App>,
    fan: Fan,
    Path(booking_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let booking_id = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    let booking = bookings::find_own(&app.pool, booking_id, fan.user_id).await.map_err(Error::from)?;
    Ok(Json(document::of(&app, &booking.ok_or(Error::BookingUnknown)?).await?))
}
