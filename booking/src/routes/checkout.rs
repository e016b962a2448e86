//! `POST /booking/checkout`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use shared::json::Json;
use shared::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::extract::{Admitted, Fan, IdempotencyKey};
use crate::purchase::checkout::{self, BestWish, Buyer, Order, SeatWish};
use crate::purchase::document::Checkout;
use crate::purchase::idempotency::{Answer, Key};

// Serialised again for the fingerprint, so that spacing and the order of fields make no other request of it.
/// Either `seats` or `best_available`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Order)]
pub(crate) struct Request {
    event_id: Uuid,
    /// Labels.
    seats: Option<Vec<String>>,
    best_available: Option<BestAvailable>,
    /// The order is for somebody in a wheelchair: `seats` may name protected ones.
    // absent stays absent: a retry must have the fingerprint it had before this field was known
    #[serde(skip_serializing_if = "Option::is_none")]
    accessible: Option<bool>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BestAvailable {
    quantity: i64,
    tier: Option<String>,
    zone: Option<String>,
    /// The most one ticket may cost before fees, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price: Option<i64>,
    /// One of the seats must be a wheelchair space; companions' seats come with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    accessible: Option<bool>,
}

/// Takes seats, all or none, and begins their payment.
///
/// A request repeated under the same key gets the same answer, or goes on where the first one stopped.
#[utoipa::path(
    post,
    path = "/booking/checkout",
    params(
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters, of the client's choice")
    ),
    request_body = Request,
    responses(
        (status = 201, description = "The seats are held until `expires_at`", body = Checkout<'_>),
        (status = 400, description = "idempotency-key-missing"),
        (status = 403, description = "admission-wrong-drop, place-bound, place-ended"),
        (status = 404, description = "event"),
        (status = 409, description = "seats-taken, sold-out, not-on-sale, booking-open, limit, in-flight"),
        (status = 410, description = "booking-expired"),
        (status = 422, description = "quantity, ticket-of-another-event, accessible-seats, idempotency-mismatch"),
        (status = 429, description = "rate-limited")
    ),
    security(("session" = [], "admission" = [], "visitor" = []))
)]
pub(crate) async fn checkout(
    State(app): State<App>,
    fan: Fan,
    Admitted { admission }: Admitted,
    key: IdempotencyKey,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    let fingerprint = fingerprint(&request).map_err(Error::Internal)?;
    let order = request.order()?;
    let key = Key { user_id: fan.user_id, key: key.as_str(), fingerprint };
    let Answer { status, body } = checkout::checkout(&app, &Buyer { admission: &admission, key }, &order).await?;
    let status = StatusCode::from_u16(status).map_err(Problem::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn fingerprint(request: &Request) -> anyhow::Result<[u8; 32]> {
    Ok(shared::encoding::sha256(&[b"POST /booking/checkout\n", &serde_json::to_vec(request)?]))
}

impl Request {
    fn order(self) -> Result<Order, Error> {
        let accessible = self.accessible.unwrap_or_default();
        let seats = match (self.seats, self.best_available) {
            (Some(labels), None) => SeatWish::Named { labels, accessible },
            (None, Some(best)) => SeatWish::Best(BestWish {
                quantity: best.quantity,
                tier: best.tier,
                zone: best.zone,
                max_price: best.max_price,
                accessible: accessible || best.accessible.unwrap_or_default(),
            }),
            _ => return Err(Error::WrongType("either seats or best_available".to_owned())),
        };
        Ok(Order { event_id: self.event_id, seats })
    }
}
