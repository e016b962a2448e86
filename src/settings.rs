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
}

/// Where settings come from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    file: Option<PathBuf>,
    overrides: Vec<(String, String)>,
}

impl Sources {
    pub(crate) fn new(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let mut overrides = customary_environment();
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

    /// A payment provider of one's own; a private stack starts its sandbox otherwise.
    pub(crate) fn has_provider(&self) -> bool {
        self.booking.stripe.api_base.is_some()
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

/// An empty variable counts as not set: compose files pass them so.
fn customary_environment() -> Vec<(String, String)> {
    CUSTOMARY
        .iter()
        .filter_map(|(name, key)| match std::env::var(name) {
            Ok(value) if !value.is_empty() => Some(((*key).to_owned(), value)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
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
}
