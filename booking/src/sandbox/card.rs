//! Stripe's test payment methods, by name, and two of our own for what Stripe has none for.
//! <https://docs.stripe.com/testing>

/// What the bank behind a payment method says when it is asked for an authorisation, and afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Approves,
    /// Sends the payer to the bank's 3-D Secure page first; may say no to those who come back from it.
    Challenges {
        then: Option<Decline>,
    },
    Declines(Decline),
    /// Ours: agrees, and says no when the money is to be taken.
    RefusesCapture(Decline),
    /// Ours: cannot wait for a capture, so that the money is taken with the payer's consent, whatever the shop asked.
    CapturesAtOnce,
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
        match name {
            "pm_onsale_captureDeclined" => return Decline::of("").map(Self::RefusesCapture),
            "pm_onsale_capturesAtOnce" => return Some(Self::CapturesAtOnce),
            _ => {}
        }
        let name = name.strip_prefix("pm_card_")?;
        Some(match name {
            "visa"
            | "visa_debit"
            | "mastercard"
            | "mastercard_debit"
            | "mastercard_prepaid"
            | "amex"
            | "discover"
            | "diners"
            | "jcb"
            | "unionpay"
            | "threeDSecureOptional" => Self::Approves,
            "authenticationRequired"
            | "authenticationRequiredOnSetup"
            | "threeDSecureRequired"
            | "threeDSecure2Required" => Self::Challenges { then: None },
            "threeDSecureRequiredChargeDeclined" => Self::Challenges { then: Decline::of("") },
            "authenticationRequiredChargeDeclinedInsufficientFunds" => {
                Self::Challenges { then: Decline::of("InsufficientFunds") }
            }
            _ => {
                // Stripe names some of these with their brand and some without; here both names are good
                let reason = name.strip_prefix("visa_").unwrap_or(name).strip_prefix("chargeDeclined")?;
                Self::Declines(Decline::of(reason)?)
            }
        })
    }
}

impl Decline {
    /// By what follows `chargeDeclined` in a card's name.
    fn of(reason: &str) -> Option<Self> {
        let declined =
            |decline_code, message| Self { code: "card_declined", decline_code: Some(decline_code), message };
        let invalid = |code, message| Self { code, decline_code: None, message };
        Some(match reason {
            "" => declined("generic_decline", "Your card was declined."),
            "InsufficientFunds" => declined("insufficient_funds", "Your card has insufficient funds."),
            "LostCard" => declined("lost_card", "Your card was declined."),
            "StolenCard" => declined("stolen_card", "Your card was declined."),
            "Fraudulent" => declined("fraudulent", "Your card was declined."),
            "VelocityLimitExceeded" => declined(
                "card_velocity_exceeded",
                "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
            ),
            "ExpiredCard" => invalid("expired_card", "Your card has expired."),
            "IncorrectCvc" => invalid("incorrect_cvc", "Your card's security code is incorrect."),
            "ProcessingError" => {
                invalid("processing_error", "An error occurred while processing your card. Try again in a little bit.")
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_known_by_stripes_names() {
        for name in ["pm_card_visa", "pm_card_mastercard_prepaid", "pm_card_amex", "pm_card_threeDSecureOptional"] {
            assert_eq!(Card::named(name), Some(Card::Approves), "{name}");
        }
        for name in ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"] {
            assert_eq!(Card::named(name), Some(Card::Challenges { then: None }), "{name}");
        }
        for (reason, code, decline_code) in [
            ("", "card_declined", Some("generic_decline")),
            ("InsufficientFunds", "card_declined", Some("insufficient_funds")),
            ("LostCard", "card_declined", Some("lost_card")),
            ("StolenCard", "card_declined", Some("stolen_card")),
            ("Fraudulent", "card_declined", Some("fraudulent")),
            ("VelocityLimitExceeded", "card_declined", Some("card_velocity_exceeded")),
            ("ExpiredCard", "expired_card", None),
            ("IncorrectCvc", "incorrect_cvc", None),
            ("ProcessingError", "processing_error", None),
        ] {
            for name in [format!("pm_card_chargeDeclined{reason}"), format!("pm_card_visa_chargeDeclined{reason}")] {
                let Some(Card::Declines(decline)) = Card::named(&name) else { panic!("{name} declines") };
                assert_eq!((decline.code, decline.decline_code), (code, decline_code), "{name}");
            }
        }
        for stranger in ["", "visa", "pm_card_", "pm_card_visa_", "pm_card_chargeDeclinedOtherwise", "pm_onsale_"] {
            assert_eq!(Card::named(stranger), None, "{stranger}");
        }
    }
}
