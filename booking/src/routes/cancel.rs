//! `POST /booking/{booking_id}/cancel`

use axum::extract::State;
use serde_json::Value;
use shared::json::{Json, Path};
use shared::problem::Problem;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::cancel;
use crate::purchase::document::Document;

/// Gives a booking up before it is paid. Cancelling twice changes nothing.
#[utoipa::path(
    post,
    path = "/booking/{booking_id}/cancel",
    operation_id = "cancel_booking",
    params(("booking_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The cancelled booking", body = Document<'_>),
        (status = 404, description = "booking"),
        (status = 409, description = "booking-completed")
    ),
    security(("session" = []))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    fan: Fan,
    Path(booking_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let booking_id = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    Ok(Json(cancel::cancel(&app, fan.user_id, booking_id).await?))
}
