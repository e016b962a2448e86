//! `POST /booking/confirm`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use shared::json::Json;
use shared::problem::Problem;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::confirm::{self, Confirmed};

/// Longest name of a payment method, in bytes.
const PAYMENT_METHOD_MAX: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    booking_id: Uuid,
    /// The provider's name for it; absent when the browser has confirmed the payment.
    payment_method: Option<String>,
}

pub(crate) async fn confirm(
    State(app): State<App>,
    fan: Fan,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    let payment_method = request.payment_method.as_deref();
    if payment_method.is_some_and(|name| name.is_empty() || name.len() > PAYMENT_METHOD_MAX) {
        return Err(Error::WrongType("payment_method: 1 to 255 bytes".to_owned()).into());
    }
    Ok(match confirm::confirm(&app, fan.user_id, request.booking_id, payment_method).await? {
        Confirmed::Completed(booking) => (StatusCode::OK, Json(booking)).into_response(),
        Confirmed::Pending { next_action } => {
            let pending = json!({ "booking_id": request.booking_id, "status": "pending", "next_action": next_action });
            (StatusCode::ACCEPTED, Json(pending)).into_response()
        }
    })
}
