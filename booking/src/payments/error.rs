//! What can go wrong between us and the payment provider.

/// Says what the caller may conclude: declined is final for this attempt, refused is a mistake or a state that
/// has moved on, unavailable says nothing about what happened there.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// The card was refused. `message` is written for the person who pays.
    #[error("the payment was declined ({code})")]
    Declined { code: String, message: String },
    /// Any other refusal, for instance `code` = `payment_intent_unexpected_state`.
    #[error("the payment provider refused: {status} {kind} {code}")]
    Api {
        status: u16,
        kind: String,
        code: String,
        /// What of the request it is about: the name of a parameter.
        param: Option<String>,
        /// For the log at most; it may name the account.
        message: String,
    },
    /// A 5xx after all tries: the call may have had its effect. The provider remembers the answer, so the same
    /// idempotency key will get no other.
    #[error("the payment provider failed: {status} {kind}")]
    Failed { status: u16, kind: String },
    /// Not reached, too slow or overloaded, after all tries: the call may have had its effect.
    #[error("the payment provider cannot be reached")]
    Unavailable(#[source] anyhow::Error),
}

impl StripeError {
    /// The intent is in a state that does not allow the call, mostly because it was made before.
    #[must_use]
    pub fn is_unexpected_state(&self) -> bool {
        matches!(self, Self::Api { code, .. } if code == "payment_intent_unexpected_state")
    }

    /// The payment method is not to be had, or not for this payment: another one may do.
    ///
    /// By the parameter the refusal names, or by the codes that are about cards and payment methods.
    /// <https://docs.stripe.com/error-codes>
    #[must_use]
    pub fn refuses_method(&self) -> bool {
        let Self::Api { status: 400 | 404, kind, code, param, .. } = self else { return false };
        kind == "card_error"
            || param.as_deref().is_some_and(|param| param.starts_with("payment_method"))
            || ["payment_method_", "card_", "payment_intent_payment_attempt_"].iter().any(|of| code.starts_with(of))
            || METHOD_CODES.contains(&code.as_str())
    }

    /// There is no such thing at the provider.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Api { code, .. } if code == "resource_missing")
    }

    /// The money was given back before.
    #[must_use]
    pub fn is_already_refunded(&self) -> bool {
        matches!(self, Self::Api { code, .. } if code == "charge_already_refunded")
    }
}

/// Codes about the payment method that do not begin like the others.
const METHOD_CODES: [&str; 9] = [
    "authentication_required",
    "debit_not_authorized",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "insufficient_funds",
    "payment_intent_authentication_failure",
    "payment_intent_incompatible_payment_method",
    "processing_error",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_card_helps_only_where_it_was_the_card() {
        let refused = |status, code: &str, param: Option<&str>| StripeError::Api {
            status,
            kind: "invalid_request_error".to_owned(),
            code: code.to_owned(),
            param: param.map(str::to_owned),
            message: String::new(),
        };
        for (status, code, param, is_the_card) in [
            (400, "resource_missing", Some("payment_method"), true),
            (404, "resource_missing", Some("intent"), false),
            (404, "resource_missing", None, false),
            (400, "", Some("payment_method"), true),
            (400, "payment_method_unactivated", None, true),
            (400, "card_decline_rate_limit_exceeded", None, true),
            (400, "expired_card", None, true),
            (400, "parameter_invalid", Some("return_url"), false),
            (401, "payment_method_unactivated", None, false),
        ] {
            assert_eq!(refused(status, code, param).refuses_method(), is_the_card, "{status} {code} {param:?}");
        }
    }
}
