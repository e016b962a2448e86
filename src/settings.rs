//! One struct of settings for all roles, and where it comes from: TOML file, environment, flags; later wins.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::keyring::Keyring;
use shared::telemetry;

use crate::failure::Failure;
use crate::secrets::Secrets;

/// Environment names that tools of the trade already know, and the settings they stand for.
const CUSTOMARY: [(&str, &str); 6] = [
    ("DATABASE_URL", "postgres.url"),
    ("REDIS_URL", "redis.url"),
    ("STRIPE_API_BASE", "booking.stripe.api_base"),
    ("STRIPE_SECRET_KEY", "booking.stripe.secret_key"),
    ("STRIPE_PUBLISHABLE_KEY", "booking.stripe.publishable_key"),
    ("STRIPE_WEBHOOK_SECRET", "booking.stripe.webhook_secret"),
];

/// Everything a process can be told. A section is needed only by the roles that use it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) log: Log,
    #[serde(default)]
    pub(crate) server: shared::server::Settings,
    pub(crate) redis: Option<shared::redis::Settings>,
    pub(crate) postgres: Option<shared::postgres::Settings>,
    #[serde(default)]
    pub(crate) keys: Keys,
    #[serde(default)]
    pub(crate) waitroom: waitroom::Settings,
    #[serde(default)]
    pub(crate) admission: admission::Settings,
    #[serde(default)]
    pub(crate) booking: booking::Settings,
    pub(crate) sandbox: Option<booking::sandbox::Settings>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `text` or `json`; what is logged is RUST_LOG's business.
    pub(crate) format: telemetry::Format,
}

/// The keys, here or in a file of their own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keys {
    master_keys: Vec<SecretString>,
    index_key: Option<SecretString>,
    /// A TOML file with `master_keys` and `index_key`.
    file: Option<PathBuf>,
}

/// Only what decides whether `up` must start servers of its own; the rest may be incomplete still.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    redis: GivenUrl,
    postgres: GivenUrl,
    keys: Keys,
    booking: GivenBooking,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenUrl {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenBooking {
    stripe: GivenStripe,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenStripe {
    api_base: Option<String>,
    secret_key: Option<SecretString>,
    publishable_key: Option<String>,
    webhook_secret: Option<SecretString>,
}

/// Where settings come from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    file: Option<PathBuf>,
    overrides: Vec<(String, String)>,
}

impl Sources {
    pub(crate) fn new(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        Self::with(file, |name| std::env::var(name).ok(), flags)
    }

    /// `environment` knows the variables of customary names.
    fn with(file: Option<PathBuf>, environment: impl Fn(&str) -> Option<String>, flags: Vec<(String, String)>) -> Self {
        // an empty variable counts as not set: compose files pass them so
        let given = |(name, key): &(&str, &str)| {
            environment(name).filter(|value| !value.is_empty()).map(|value| ((*key).to_owned(), value))
        };
        let mut overrides: Vec<_> = CUSTOMARY.iter().filter_map(given).collect();
        overrides.extend(flags);
        Self { file, overrides }
    }

    /// One more flag; it wins over all before it.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.overrides.push((key.to_owned(), value.into()));
    }

    pub(crate) fn load(&self) -> Result<Settings, Failure> {
        self.read()
    }

    /// What was given of the things a private stack would otherwise provide.
    pub(crate) fn given(&self) -> Result<Given, Failure> {
        self.read()
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        shared::settings::load(self.file.as_deref(), &self.overrides)
            .map_err(|error| Failure::usage(format!("{error:#}")))
    }
}

impl Given {
    pub(crate) fn redis_url(&self) -> Option<&str> {
        self.redis.url.as_deref()
    }

    pub(crate) fn database_url(&self) -> Option<&str> {
        self.postgres.url.as_deref()
    }

    /// Keys of one's own; a private stack makes some otherwise.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.file.is_some() || !self.keys.master_keys.is_empty()
    }

    /// A payment provider of one's own; a private stack starts its sandbox otherwise. Any part of one is enough: who
    /// gives a real key and forgets another is told so, and does not sell for play money.
    pub(crate) fn has_provider(&self) -> bool {
        let GivenStripe { api_base, secret_key, publishable_key, webhook_secret } = &self.booking.stripe;
        api_base.is_some() || secret_key.is_some() || publishable_key.is_some() || webhook_secret.is_some()
    }
}

impl Settings {
    pub(crate) fn redis(&self) -> Result<&shared::redis::Settings, Failure> {
        self.redis.as_ref().ok_or_else(|| Failure::usage("settings: redis.url is missing; set REDIS_URL"))
    }

    pub(crate) fn postgres(&self) -> Result<&shared::postgres::Settings, Failure> {
        self.postgres.as_ref().ok_or_else(|| Failure::usage("settings: postgres.url is missing; set DATABASE_URL"))
    }
}

impl Keys {
    pub(crate) fn keyring(&self) -> Result<Keyring, Failure> {
        if let Some(file) = &self.file {
            let secrets = Secrets::read(file)?;
            return Ok(Keyring::parse(&secrets.master_keys, &secrets.index_key)?);
        }
        match &self.index_key {
            Some(index_key) if !self.master_keys.is_empty() => Ok(Keyring::parse(&self.master_keys, index_key)?),
            _ => {
                Err(Failure::usage("settings: keys are missing; set keys.file, or keys.master_keys and keys.index_key"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const README: &str = include_str!("../README.md");

    /// The table in the README: key and default of every row.
    fn documented() -> Vec<(String, String)> {
        README
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|row| {
                let mut cells = row.split(" | ");
                let key = cells.next()?.trim_end_matches('`');
                key.contains('.').then(|| (key.to_owned(), cells.nth(1).unwrap_or_default().to_owned()))
            })
            .collect()
    }

    #[test]
    fn every_documented_setting_exists_with_that_default_or_another_value() {
        let keys = documented();
        assert!(keys.len() > 40, "the table was not found: {keys:?}");
        let flags = keys.into_iter().map(|(key, default)| {
            let value = match key.as_str() {
                "server.tls.cert" | "server.tls.key" | "keys.file" | "sandbox.ledger" => "/dev/null".to_owned(),
                "keys.master_keys" => "[]".to_owned(),
                _ => default,
            };
            (key, value)
        });
        Sources::new(None, flags.collect()).load().expect("all of them are known");
    }

    fn with_environment(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Sources::with(None, find, flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_customary_variables_name_a_payment_provider() {
        let variables = [
            ("STRIPE_API_BASE", "https://stripe.test"),
            ("STRIPE_SECRET_KEY", "sk_test_1"),
            ("STRIPE_PUBLISHABLE_KEY", "pk_test_1"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
        ];
        let stripe = with_environment(&variables, &[]).load().expect("understood").booking.stripe;
        assert_eq!(stripe.api_base, "https://stripe.test");
        assert_eq!(stripe.secret_key.expose_secret(), "sk_test_1");
        assert_eq!(stripe.publishable_key, "pk_test_1");
        assert_eq!(stripe.webhook_secret.expose_secret(), "whsec_1");

        let flag = with_environment(&variables, &[("booking.stripe.api_base", "http://127.0.0.1:1")]);
        assert_eq!(flag.load().expect("understood").booking.stripe.api_base, "http://127.0.0.1:1");

        // without an address it is Stripe itself
        let keys = with_environment(&variables[1..], &[]).load().expect("understood").booking.stripe;
        assert_eq!((keys.api_base.as_str(), keys.test_cards), ("https://api.stripe.com", false));
    }

    #[test]
    fn any_part_of_a_provider_keeps_the_sandbox_away() {
        let given = |variables: &[(&str, &str)]| with_environment(variables, &[]).given().expect("understood");
        for name in ["STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET"] {
            assert!(given(&[(name, "x")]).has_provider(), "{name}");
            assert!(!given(&[(name, "")]).has_provider(), "{name}");
        }
        assert!(!given(&[("DATABASE_URL", "postgres://x")]).has_provider());
    }
}
