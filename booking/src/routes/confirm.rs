//! `POST /booking/confirm`

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::json::Json;
use shared::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::extract::Fan;
use crate::purchase::confirm::{self, Confirmed};
use crate::purchase::document::Document;
use crate::routes::once::Final;

/// Longest name of a payment method, in bytes.
const PAYMENT_METHOD_MAX: usize = 255;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Confirm)]
pub(crate) struct Request {
    booking_id: Uuid,
    /// The provider's name for it; absent when the browser has confirmed the payment.
    payment_method: Option<String>,
}

/// Not decided yet.
#[derive(Serialize, ToSchema)]
#[schema(as = PendingPayment)]
struct Pending {
    booking_id: Uuid,
    /// pending
    status: &'static str,
    /// What the fan has to do, in the provider's words.
    #[schema(required)]
    next_action: Option<Value>,
}

/// Pays, or says that it was paid in the browser: asks the provider and decides.
#[utoipa::path(
    post,
    path = "/booking/confirm",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters: repeated under it within 24 hours, the request is done once")
    ),
    request_body = Request,
    responses(
        (status = 200, description = "Completed: the seats are the fan's", body = Document<'_>),
        (status = 202, description = "The bank wants something of the fan, or has not decided", body = Pending),
        (status = 402, description = "declined"),
        (status = 404, description = "booking"),
        (status = 409, description = "in-flight"),
        (status = 410, description = "booking-expired"),
        (status = 422, description = "idempotency-mismatch"),
        (status = 429, description = "rate-limited")
    ),
    security(("session" = []))
)]
pub(crate) async fn confirm(
    State(app): State<App>,
    fan: Fan,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    let payment_method = request.payment_method.as_deref();
    if payment_method.is_some_and(|name| name.is_empty() || name.len() > PAYMENT_METHOD_MAX) {
        return Err(Error::WrongType("payment_method: 1 to 255 bytes".to_owned()).into());
    }
    match confirm::confirm(&app, fan.user_id, request.booking_id, payment_method).await {
        Ok(Confirmed::Completed(booking)) => Ok((StatusCode::OK, Json(booking)).into_response()),
        Ok(Confirmed::Pending { next_action, .. }) => {
            let pending = Pending { booking_id: request.booking_id, status: "pending", next_action };
            Ok((StatusCode::ACCEPTED, Json(pending)).into_response())
        }
        Err(error @ Error::Declined { .. }) if payment_method.is_some() => {
            Ok((Extension(Final), Problem::from(error)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}
