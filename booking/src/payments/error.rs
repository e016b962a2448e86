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
