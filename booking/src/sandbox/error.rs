//! Refusals in Stripe's shape. <https://docs.stripe.com/api/errors>

use serde_json::{Value, json};

use super::{
    card::Decline,
    intent::{Intent, Refusal, Status},
};

#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    decline_code: Option<&'static str>,
    param: Option<String>,
    message: String,
    /// The intent as it stands after the refusal.
    intent: Option<Box<Value>>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, kind, code, decline_code: None, param: None, message: message.into(), intent: None }
    }

    fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", Some(code), message)
    }

    fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(super) fn missing(param: &'static str) -> Self {
        Self::invalid("parameter_missing", format!("Missing required param: {param}.")).about(param)
    }

    pub(super) fn unknown(param: &str) -> Self {
        Self::invalid("parameter_unknown", format!("Received unknown parameter: {param}")).about(param)
    }

    pub(super) fn unfit(param: &'static str, message: impl Into<String>) -> Self {
        Self::invalid("parameter_invalid", message).about(param)
    }

    /// `what` is Stripe's name for the kind of object.
    pub(super) fn no_such(what: &str, id: &str) -> Self {
        let error =
            Self::new(404, "invalid_request_error", Some("resource_missing"), format!("No such {what}: '{id}'"));
        match what {
            "payment_intent" => error.about("intent"),
            "PaymentMethod" => error.about("payment_method"),
            _ => error,
        }
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(401, "invalid_request_error", None, "Invalid API Key provided.")
    }

    pub(super) fn secret_key_required() -> Self {
        Self::new(
            403,
            "invalid_request_error",
            Some("secret_key_required"),
            "This API call cannot be made with a publishable API key.",
        )
    }

    pub(super) fn key_in_use() -> Self {
        Self::new(
            409,
            "idempotency_error",
            Some("idempotency_key_in_use"),
            "There is currently another in-progress request using this Idempotency Key. Please try again later.",
        )
    }

    pub(super) fn key_reused() -> Self {
        Self::new(
            400,
            "idempotency_error",
            None,
            "Keys for idempotent requests can only be used with the same parameters they were first used with.",
        )
    }

    /// A fault of the script.
    pub(super) fn failed_on_demand() -> Self {
        Self::new(500, "api_error", None, "This answer is a fault that was asked for.")
    }

    /// Likewise. <https://docs.stripe.com/rate-limits>
    pub(super) fn too_many_requests() -> Self {
        Self::new(429, "invalid_request_error", Some("rate_limit"), "Request rate limit exceeded, as was asked for.")
    }

    /// A fault script that makes no sense; `field` as in `rules[0].effect`.
    pub(super) fn bad_script(field: &str, message: String) -> Self {
        Self::invalid("parameter_invalid", message).about(field)
    }

    pub(super) fn internal() -> Self {
        Self::new(500, "api_error", None, "The sandbox could not write its ledger.")
    }

    /// 402, with the intent as the bank's refusal left it.
    pub(super) fn declined(decline: Decline, intent: &Intent) -> Self {
        Self {
            decline_code: decline.decline_code,
            intent: Some(Box::new(intent.view(false))),
            ..Self::new(402, "card_error", Some(decline.code), decline.message)
        }
    }

    pub(super) fn refused(refusal: Refusal, intent: &Intent) -> Self {
        let error = match refusal {
            Refusal::UnexpectedState { action, status } => {
                Self::invalid("payment_intent_unexpected_state", unexpected_state(action, status))
            }
            Refusal::NoPaymentMethod => Self::invalid(
                "payment_intent_unexpected_state",
                "You cannot confirm this PaymentIntent because it's missing a payment method.",
            ),
            Refusal::MoreThanAuthorised { amount, most } => Self::invalid(
                "amount_too_large",
                format!("The amount to capture ({amount}) is greater than the amount authorized ({most})."),
            )
            .about("amount_to_capture"),
            Refusal::MoreThanLeft { amount, most } => Self::invalid(
                "amount_too_large",
                format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({most})."),
            )
            .about("amount"),
            Refusal::NothingToRefund => Self::invalid(
                "payment_intent_unexpected_state",
                "This PaymentIntent does not have a successful charge to refund.",
            ),
            Refusal::AlreadyRefunded => {
                Self::invalid("charge_already_refunded", "The charge has already been refunded.")
            }
        };
        Self { intent: Some(Box::new(intent.view(false))), ..error }
    }

    pub(super) fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        let optional = [
            ("code", self.code.map(Value::from)),
            ("decline_code", self.decline_code.map(Value::from)),
            ("param", self.param.as_deref().map(Value::from)),
            ("payment_intent", self.intent.as_deref().cloned()),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                error[key] = value;
            }
        }
        json!({ "error": error })
    }
}

fn unexpected_state(action: &str, status: Status) -> String {
    format!("This PaymentIntent could not be {action} because it has a status of {}.", status.name())
}
