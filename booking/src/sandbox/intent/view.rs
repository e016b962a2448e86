//! An intent and its charge in the shapes Stripe shows. <https://docs.stripe.com/api/payment_intents/object>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Intent, Status};

impl Intent {
    /// The object as Stripe shows it; `expand_charge` puts the charge in the place of its id.
    pub(in crate::sandbox) fn view(&self, expand_charge: bool) -> Value {
        let capturable = if self.status == Status::RequiresCapture { self.amount } else { 0 };
        let charge = if expand_charge { self.charge_view() } else { json!(self.charge) };
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": capturable,
            "amount_received": self.received,
            "canceled_at": self.canceled.map(Timestamp::as_second),
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created.as_second(),
            "currency": self.currency,
            "description": self.description,
            "last_payment_error": self.last_error.as_ref().map(|error| json!({
                "type": "card_error",
                "code": error.code,
                "decline_code": error.decline_code,
                "message": error.message,
                "payment_method": error.payment_method.as_ref().map(|id| {
                    json!({ "id": id, "object": "payment_method", "type": "card" })
                }),
            })),
            "latest_charge": charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": self.challenge_url.as_ref().map(|url| json!({
                "type": "redirect_to_url",
                "redirect_to_url": { "url": url, "return_url": self.return_url },
            })),
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "status": self.status,
        })
    }

    /// <https://docs.stripe.com/api/charges/object>, or null before the first authorisation.
    pub(in crate::sandbox) fn charge_view(&self) -> Value {
        let Some(charge) = &self.charge else { return Value::Null };
        json!({
            "id": charge,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.received,
            "amount_refunded": self.refunded,
            "captured": self.status == Status::Succeeded,
            "currency": self.currency,
            "livemode": false,
            "metadata": self.metadata,
            "paid": true,
            "payment_intent": self.id,
            "refunded": self.received > 0 && self.refunded == self.received,
            "status": "succeeded",
        })
    }
}
