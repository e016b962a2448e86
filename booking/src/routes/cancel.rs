//! `POST /booking/{booking_id}/cancel`

use axum::extract::State;
use serde_json::Value;
use shared::json::{Json, Path};
use shared::problem::Problem;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::cancel;

pub(crate) async fn cancel(
    State(app): State<App>,
    fan: Fan,
    Path(booking_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let booking_id = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    Ok(Json(cancel::cancel(&app, fan.user_id, booking_id).await?))
}
