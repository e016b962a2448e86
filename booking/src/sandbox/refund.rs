//! Money given back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) payment_intent: String,
    pub(super) charge: Option<String>,
    /// Minor units.
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) created: Timestamp,
}

impl Refund {
    /// <https://docs.stripe.com/api/refunds/object>
    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "charge": self.charge,
            "created": self.created.as_second(),
            "currency": self.currency,
            "payment_intent": self.payment_intent,
            "status": "succeeded",
        })
    }
}
