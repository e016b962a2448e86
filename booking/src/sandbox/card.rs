//! Stripe's test payment methods, by name. <https://docs.stripe.com/testing>

/// What the bank behind a payment method says when it is asked for an authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Approves,
    /// Sends the payer to the bank's 3-D Secure page first.
    Challenges,
    Declines(Decline),
}

/// A refusal by the bank, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

pub(super) const AUTHENTICATION_FAILED: Decline = Decline {
    code: "payment_intent_authentication_failure",
    decline_code: None,
    message: "The provided PaymentMethod has failed authentication. \
              You can provide a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
};

impl Card {
    /// The card of this name, if there is one.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pm_card_visa" | "pm_card_visa_debit" | "pm_card_mastercard" | "pm_card_amex" => Self::Approves,
            "pm_card_authenticationRequired" | "pm_card_threeDSecureRequired" | "pm_card_threeDSecure2Required" => {
                Self::Challenges
            }
            "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => {
                Self::declined(Some("generic_decline"), "Your card was declined.")
            }
            "pm_card_chargeDeclinedInsufficientFunds" | "pm_card_visa_chargeDeclinedInsufficientFunds" => {
                Self::declined(Some("insufficient_funds"), "Your card has insufficient funds.")
            }
            "pm_card_chargeDeclinedExpiredCard" => {
                Self::Declines(Decline { code: "expired_card", decline_code: None, message: "Your card has expired." })
            }
            _ => return None,
        })
    }

    fn declined(decline_code: Option<&'static str>, message: &'static str) -> Self {
        Self::Declines(Decline { code: "card_declined", decline_code, message })
    }
}
