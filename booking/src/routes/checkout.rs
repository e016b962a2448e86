//! `POST /booking/checkout`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use shared::json::Json;
use shared::problem::Problem;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::extract::{Admitted, Fan, IdempotencyKey};
use crate::purchase::checkout::{self, Buyer, Order, SeatWish};
use crate::purchase::idempotency::{Answer, Key};

/// Either `seats` or `best_available`. Serialised again for the fingerprint, so that spacing and the order
/// of fields make no other request of it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    event_id: Uuid,
    /// Labels.
    seats: Option<Vec<String>>,
    best_available: Option<BestAvailable>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct BestAvailable {
    quantity: i64,
    tier: Option<String>,
    zone: Option<String>,
}

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
        let seats = match (self.seats, self.best_available) {
            (Some(labels), None) => SeatWish::Named(labels),
            (None, Some(best)) => SeatWish::Best { quantity: best.quantity, tier: best.tier, zone: best.zone },
            _ => return Err(Error::WrongType("either seats or best_available".to_owned())),
        };
        Ok(Order { event_id: self.event_id, seats })
    }
}
