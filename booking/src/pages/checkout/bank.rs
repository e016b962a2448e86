//! To the bank's own page, and back.

use serde_json::Value;

use crate::purchase::bookings::Booking;

/// What the bank's or the provider's page says when it leads back.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Return {
    /// Said yes, or nothing one may rely on: whoever asks the provider finds out.
    Undecided,
    Refused,
}

impl Return {
    /// In the provider's words. <https://docs.stripe.com/payments/payment-intents/verifying-status>
    pub(super) fn of_provider(query: &str) -> Option<Self> {
        Self::read(query, "redirect_status")
    }

    /// As [`Self::path`] says it.
    pub(super) fn of_ours(query: &str) -> Option<Self> {
        Self::read(query, "bank")
    }

    fn read(query: &str, name: &str) -> Option<Self> {
        let (_, status) = form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name)?;
        Some(if status == "failed" { Self::Refused } else { Self::Undecided })
    }

    /// The booking's page; loaded again, it goes on to say so as long as the booking stands as it did.
    pub(super) fn path(self, booking: &Booking) -> String {
        let said = match self {
            Self::Undecided => "deciding",
            Self::Refused => "failed",
        };
        format!("{}?bank={said}", super::path(booking))
    }
}

/// <https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action>
pub(super) fn bank_page(next_action: &Value) -> Option<String> {
    let url = next_action["redirect_to_url"]["url"].as_str()?;
    (url.starts_with("https://") || url.starts_with("http://")).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coming_back_from_the_bank_is_not_believed() {
        assert_eq!(Return::of_provider("bank=failed"), None);
        let succeeded = Return::of_provider("payment_intent=pi_1&redirect_status=succeeded");
        assert_eq!(succeeded, Some(Return::Undecided));
        assert_eq!(Return::of_provider("redirect_status=anything"), Some(Return::Undecided));
        assert_eq!(Return::of_provider("redirect_status=failed"), Some(Return::Refused));
    }

    #[test]
    fn only_web_addresses_are_linked() {
        let action = |url: &str| serde_json::json!({ "redirect_to_url": { "url": url } });
        assert!(bank_page(&action("https://bank.example/3ds")).is_some());
        assert_eq!(bank_page(&action("javascript:alert(1)")), None);
        assert_eq!(bank_page(&serde_json::json!({ "use_stripe_sdk": {} })), None);
    }
}
