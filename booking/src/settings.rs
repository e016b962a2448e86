//! Settings of the booking role, under `[booking]` in the file.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use shared::rate_limit::Quota;

/// Everything an operator may tune about selling. All durations carry their unit in the name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long seats stay held for a fan who has not paid, in seconds.
    pub hold_s: u64,
    /// How long an unpaid booking may keep its seats beyond the hold while the
    /// provider cannot be asked or the bank is still deciding, in seconds.
    pub expiry_cap_s: u64,
    /// More time that a fan gets by asking once, in seconds.
    pub extension_s: u64,
    /// How often a fan may ask for more time: at least ten times by WCAG 2.2.1.
    pub extensions_max: u32,
    /// How long a seat that came back is kept for fans admitted after its return, while others wait in
    /// the line, in seconds.
    pub returned_first_s: u64,
    /// Tickets one checkout may ask for; a drop's own `max_per_fan` may be lower.
    pub tickets_max: u32,
    /// Life of a fan's session, in days.
    pub session_days: u32,
    /// How old a shown availability or seat map may be, in milliseconds.
    pub availability_ms: u64,
    /// Live seat maps of this process; more are told to come back.
    pub streams_max: usize,
    /// Of these, how many one address may have; many fans may share one.
    pub streams_per_address_max: usize,
    /// Events whose seats a process watches at once; maps of further ones change only now and then.
    pub seats_watched_max: usize,
    /// How often a process looks for changed seats while somebody watches them, in milliseconds.
    pub seats_watch_ms: u64,
    /// How often the search index looks for changes it was not told of, in milliseconds.
    pub index_poll_ms: u64,
    /// Memory of the index writer, in bytes (Tantivy wants at least 15 MB).
    pub index_writer_bytes: usize,
    /// How long Redis may take to answer a seat hold before Postgres decides alone, in milliseconds; 0: it is not asked.
    pub hold_timeout_ms: u64,
    /// How often sold and held counts are reported to the line, in milliseconds.
    pub stock_report_ms: u64,
    /// How often expired bookings are looked for, in milliseconds.
    pub expiry_poll_ms: u64,
    /// How often the outbox is looked at, in milliseconds.
    pub outbox_poll_ms: u64,
    /// How long a job of the outbox is its worker's alone, in seconds; one whose worker died is taken up after that.
    /// Three quarters of it must suffice for three tries at the provider (10 s each), and be at most 60 s, which is how
    /// long a cancellation is taken to be under way.
    pub outbox_lease_s: u64,
    /// How often open payments are compared with the provider, in milliseconds.
    pub payment_poll_ms: u64,
    /// How often the provider's list of payments is compared with the books, in milliseconds.
    pub reconcile_poll_ms: u64,
    /// How far back that list is compared again each hour, in seconds.
    pub reconcile_back_s: u64,
    /// `smtp://` or `smtps://` with credentials; without it mail is only logged as skipped.
    pub smtp_url: Option<SecretString>,
    /// Sender of all mail.
    pub mail_from: String,
    pub stripe: Stripe,
    pub limits: Quotas,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold_s: 600,
            expiry_cap_s: 900,
            extension_s: 120,
            extensions_max: 10,
            returned_first_s: 120,
            tickets_max: 8,
            session_days: 30,
            availability_ms: 1_000,
            streams_max: 15_000,
            streams_per_address_max: 500,
            seats_watched_max: 256,
            seats_watch_ms: 250,
            index_poll_ms: 1_000,
            index_writer_bytes: 32_000_000,
            hold_timeout_ms: 250,
            stock_report_ms: 250,
            expiry_poll_ms: 1_000,
            outbox_poll_ms: 250,
            outbox_lease_s: 60,
            payment_poll_ms: 2_000,
            reconcile_poll_ms: 30_000,
            reconcile_back_s: 172_800,
            smtp_url: None,
            mail_from: "Onsale <tickets@localhost>".to_owned(),
            stripe: Stripe::default(),
            limits: Quotas::default(),
        }
    }
}

/// The payment provider: Stripe, or anything that speaks its API (the sandbox role does).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stripe {
    /// Origin of the API; `/v1/…` is appended.
    pub api_base: String,
    pub secret_key: SecretString,
    /// Handed to browsers with the client secret.
    pub publishable_key: String,
    /// Signs the webhooks we receive.
    pub webhook_secret: SecretString,
    /// How old a signed webhook may be, in seconds.
    pub webhook_tolerance_s: u64,
    /// The checkout page offers test cards instead of the provider's own fields: for the sandbox, where no money moves.
    pub test_cards: bool,
}

/// How the provider's keys for real money begin. <https://docs.stripe.com/keys>
const LIVE: &str = "sk_live_";

impl Default for Stripe {
    fn default() -> Self {
        Self {
            api_base: "https://api.stripe.com".to_owned(),
            secret_key: SecretString::default(),
            publishable_key: String::new(),
            webhook_secret: SecretString::default(),
            webhook_tolerance_s: 300,
            test_cards: false,
        }
    }
}

impl Stripe {
    /// # Errors
    /// Names the secret that is not set: without it nothing could be sold, or any caller could send webhooks. Or says
    /// that test cards and real money exclude each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for (name, secret) in [("secret_key", &self.secret_key), ("webhook_secret", &self.webhook_secret)] {
            anyhow::ensure!(
                !secret.expose_secret().trim().is_empty(),
                "booking.stripe.{name} is not set: take it from the provider's dashboard, or from the sandbox role"
            );
        }
        anyhow::ensure!(
            !(self.test_cards && self.secret_key.expose_secret().starts_with(LIVE)),
            "booking.stripe.test_cards is set, and booking.stripe.secret_key is for real money"
        );
        Ok(())
    }
}

/// Rates a client address may use the costly endpoints at; `confirm` is for an account instead.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    pub sign_in: Quota,
    pub registration: Quota,
    /// Checkouts, and as many confirmations.
    pub checkout: Quota,
    /// Confirmations, cancellations and extensions by one account, each of which may ask the provider.
    pub confirm: Quota,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            sign_in: Quota { per_minute: 30, burst: 10 },
            registration: Quota { per_minute: 20, burst: 10 },
            checkout: Quota { per_minute: 120, burst: 30 },
            confirm: Quota { per_minute: 30, burst: 15 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_secrets_have_no_default() {
        let set = || Stripe { secret_key: "sk".into(), webhook_secret: "whsec".into(), ..Stripe::default() };
        assert!(set().check().is_ok());
        for (missing, name) in [
            (Stripe { secret_key: SecretString::default(), ..set() }, "booking.stripe.secret_key"),
            (Stripe { webhook_secret: " ".into(), ..set() }, "booking.stripe.webhook_secret"),
        ] {
            let refused = missing.check().unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
        assert!(Stripe { test_cards: true, ..set() }.check().is_ok());
        assert!(Stripe { test_cards: true, secret_key: "sk_live_1".into(), ..set() }.check().is_err());
    }
}
