//! How a fan pays: in Stripe's own fields, or with test cards where the sandbox stands in for it.

use shared::pages::Policy;
use uuid::Uuid;

use crate::{app::App, error::Error, purchase::attempts, settings};

/// The provider whose browser script we know.
const STRIPE: &str = "https://api.stripe.com";
/// The script of the API version we speak. <https://docs.stripe.com/sdks/stripejs-versioning>
const SCRIPT: &str = "https://js.stripe.com/clover/stripe.js";
/// The provider's word for a 3-D Secure that failed.
pub(super) const NOT_APPROVED: &str = "payment_intent_authentication_failure";

/// Stands in for a card where no money moves.
pub(super) struct Card {
    /// In the form.
    pub(super) id: &'static str,
    /// The provider's name for it.
    method: &'static str,
    pub(super) name: &'static str,
    pub(super) does: &'static str,
}

pub(super) const CARDS: [Card; 4] = [
    Card { id: "approves", method: "pm_card_visa", name: "A card that works", does: "The bank agrees at once." },
    Card {
        id: "bank",
        method: "pm_card_threeDSecure2Required",
        name: "A card with 3-D Secure",
        does: "The bank asks you first, on a page of its own.",
    },
    Card {
        id: "declined",
        method: "pm_card_chargeDeclined",
        name: "A card that is declined",
        does: "The bank says no.",
    },
    Card {
        id: "funds",
        method: "pm_card_chargeDeclinedInsufficientFunds",
        name: "An empty card",
        does: "There is not enough money on it.",
    },
];

/// What the page offers.
pub(super) enum Way {
    Stripe {
        publishable_key: String,
        client_secret: String,
        script: &'static str,
    },
    /// The provider has not heard of the booking yet.
    Unprepared,
    StandIn,
}

impl Way {
    pub(super) async fn of(app: &App, booking_id: Uuid) -> Result<Self, Error> {
        let stripe = &app.settings.stripe;
        if stripe.test_cards {
            return Ok(Self::StandIn);
        }
        let attempt = attempts::current(&app.pool, booking_id).await?;
        Ok(match attempt.and_then(|attempt| attempt.client_secret) {
            Some(client_secret) => {
                Self::Stripe { publishable_key: stripe.publishable_key.clone(), client_secret, script: SCRIPT }
            }
            None => Self::Unprepared,
        })
    }

    /// What the page may load beyond our own. <https://docs.stripe.com/security/guide#content-security-policy>
    pub(super) fn policy(&self) -> Option<Policy> {
        let Self::Stripe { .. } = self else { return None };
        let (scripts, all_scripts) = ("https://js.stripe.com", "https://*.js.stripe.com");
        Some(
            Policy::default()
                .script(scripts)
                .script(all_scripts)
                .frame(scripts)
                .frame(all_scripts)
                .frame("https://hooks.stripe.com")
                .connect(STRIPE),
        )
    }
}

/// The provider's name for the card a form names. Real ones never come to us.
pub(super) fn card(stripe: &settings::Stripe, id: &str) -> Result<&'static str, Error> {
    let known = CARDS.iter().find(|card| card.id == id).filter(|_| stripe.test_cards);
    known.map(|card| card.method).ok_or_else(|| Error::WrongType("card: one of those on the page".to_owned()))
}

/// Why the bank said no, in words that tell what to do.
pub(super) fn words<'a>(code: &str, message: &'a str) -> &'a str {
    match code {
        NOT_APPROVED => "Your bank did not approve the payment. Nothing was charged; try again or use another card.",
        "insufficient_funds" => "There is not enough money on this card. Nothing was charged; use another one.",
        "generic_decline" | "card_declined" | "do_not_honor" => {
            "Your bank declined this card. Nothing was charged; use another one."
        }
        "expired_card" => "This card has expired. Use another one.",
        _ if !message.is_empty() => message,
        _ => "The payment did not go through. Nothing was charged; try again or use another card.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cards_are_for_stand_ins_only() {
        let sandbox = settings::Stripe { test_cards: true, ..settings::Stripe::default() };
        // wherever the provider's API is reached
        let proxied = settings::Stripe { api_base: "http://127.0.0.1:1".to_owned(), ..settings::Stripe::default() };
        assert!(card(&proxied, "approves").is_err());
        assert_eq!(card(&sandbox, "approves").unwrap(), "pm_card_visa");
        assert!(card(&sandbox, "pm_card_visa").is_err());
        assert!(card(&settings::Stripe::default(), "approves").is_err(), "never at the real provider");
    }

    #[test]
    fn the_stricter_policy_is_left_only_for_stripe() {
        assert!(Way::StandIn.policy().is_none() && Way::Unprepared.policy().is_none());
        let stripe =
            Way::Stripe { publishable_key: String::new(), client_secret: String::new(), script: SCRIPT }.policy();
        let header = stripe.unwrap().header();
        let text = header.to_str().unwrap();
        assert!(text.contains("script-src 'self' https://js.stripe.com "), "{text}");
        assert!(text.contains("connect-src 'self' https://api.stripe.com;"), "{text}");
    }

    #[test]
    fn a_refusal_always_has_words() {
        assert_eq!(words("odd", ""), words("", ""));
        assert_eq!(words("odd", "The bank's own."), "The bank's own.");
    }
}
