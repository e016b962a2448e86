//! The provider's payment intent, as far as we look at it.

use std::collections::HashMap;

use serde::Deserialize;
use uuid::Uuid;

/// Minor units the provider takes in one payment, at most: eight digits.
pub const PAYMENT_MAX: i64 = 99_999_999;

/// What is asked of the provider for one attempt to pay a booking.
#[derive(Debug, Clone)]
pub struct NewIntent {
    /// Minor units; the provider's idea of minor units is ISO 4217's for every currency we sell in.
    pub amount: i64,
    /// ISO 4217, in either case.
    pub currency: String,
    pub booking_id: Uuid,
    pub attempt_id: Uuid,
    /// Our public address: tells our intents from those of others who share the account.
    pub origin: String,
}

impl NewIntent {
    /// Key of the metadata entry that ties an intent to its booking.
    pub const BOOKING: &'static str = "booking_id";
    /// Key of the metadata entry that ties an intent to the attempt that made it.
    pub const ATTEMPT: &'static str = "attempt_id";
    /// Key of the metadata entry that says whose intent it is.
    pub const ORIGIN: &'static str = "origin";
}

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    pub id: String,
    pub status: IntentStatus,
    /// Minor units.
    pub amount: i64,
    /// Minor units captured so far.
    #[serde(default)]
    pub amount_received: i64,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// ISO 4217 in lower case, as the provider writes it.
    pub currency: String,
    /// Lets the fan's browser confirm this one intent; never logged.
    pub client_secret: Option<String>,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    /// What the fan has to do next, handed through to the client as it is.
    pub next_action: Option<serde_json::Value>,
    pub last_payment_error: Option<PaymentError>,
    pub latest_charge: Option<Charge>,
}

/// <https://docs.stripe.com/api/charges/object>
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Charge {
    Whole {
        /// Minor units.
        amount_refunded: i64,
    },
    /// Not expanded.
    Id(String),
}

#[cfg(test)]
impl Intent {
    /// Ten dollars, for tests of decisions.
    pub(crate) fn sample(id: &str, status: IntentStatus) -> Self {
        Self {
            id: id.to_owned(),
            status,
            amount: 1_000,
            amount_received: 0,
            created: 0,
            currency: "usd".to_owned(),
            client_secret: None,
            metadata: HashMap::new(),
            next_action: None,
            last_payment_error: None,
            latest_charge: None,
        }
    }
}

impl Intent {
    /// The booking this intent pays for, if it is one of ours.
    #[must_use]
    pub fn booking_id(&self) -> Option<Uuid> {
        self.metadata.get(NewIntent::BOOKING)?.parse().ok()
    }

    /// The attempt that made it, if it is one of ours.
    #[must_use]
    pub fn attempt_id(&self) -> Option<Uuid> {
        self.metadata.get(NewIntent::ATTEMPT)?.parse().ok()
    }

    /// Minor units given back so far, as far as the provider told.
    #[must_use]
    pub fn refunded(&self) -> i64 {
        match &self.latest_charge {
            Some(Charge::Whole { amount_refunded }) => *amount_refunded,
            Some(Charge::Id(_)) | None => 0,
        }
    }

    /// The fan's money is reserved, or taken and not given back.
    #[must_use]
    pub fn has_money(&self) -> bool {
        match self.status {
            IntentStatus::RequiresCapture => true,
            IntentStatus::Succeeded => !self.is_refunded(),
            _ => false,
        }
    }

    /// All that was captured was given back.
    #[must_use]
    pub fn is_refunded(&self) -> bool {
        self.amount_received > 0 && self.refunded() >= self.amount_received
    }
}

/// A page of a list, newest first. <https://docs.stripe.com/api/pagination>
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    pub data: Vec<Intent>,
    /// Older ones follow.
    pub has_more: bool,
}

/// <https://docs.stripe.com/payments/paymentintents/lifecycle>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    /// Authorised: the money is reserved and waits for our decision.
    RequiresCapture,
    Canceled,
    /// Captured.
    Succeeded,
    /// A status this code does not know; nothing may be concluded from it.
    #[serde(other)]
    Unknown,
}

/// Why the last attempt to authorise failed.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentError {
    pub code: Option<String>,
    pub decline_code: Option<String>,
    /// Written for the person who pays.
    pub message: Option<String>,
}

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    pub status: RefundStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// On its way; a bank takes days.
    Pending,
    Succeeded,
    RequiresAction,
    Failed,
    Canceled,
    /// A status this code does not know; nothing may be concluded from it.
    #[serde(other)]
    Unknown,
}
