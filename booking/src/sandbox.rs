//! A small, honest stand-in for Stripe: the part of its HTTP API that booking speaks, with the same states,
//! refusals and idempotency rules, so that the code that runs in the demo is the code that runs in production.
//!
//! An intent's life is pure ([`intent`]); a [`command`] turns a request into a decision; the [`provider`] runs one
//! decision at a time per intent and answers only once the [`ledger`] has it on disk; [`webhooks`] then tell the
//! shop, signed and again until it listens. Killing the process loses nothing it has answered.
//!
//! It fails on demand, for those who test a shop: see [`faults`].
//!
//! It is not Stripe where that would only be in the way: it takes amounts below Stripe's minimum, does not end
//! authorisations after a week, and knows cards by their test names only (see [`card`]).

mod card;
mod command;
mod intent;
mod refund;

mod faults;

mod book;
mod ledger;
mod provider;
mod webhooks;

mod auth;
mod error;
mod form;
mod idempotency;
mod list;
mod routes;

use std::path::PathBuf;

use axum::Router;
use secrecy::SecretString;
use serde::Deserialize;
use shared::{clock::Clock, lifecycle::Lifecycle, pages::Site};

/// Keys are made up by whoever runs the sandbox; booking has to be given the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The append-only file everything is in; made if it does not exist, used by one process at a time.
    pub ledger: PathBuf,
    pub secret_key: SecretString,
    pub publishable_key: String,
    pub webhook_secret: SecretString,
    /// Where events are sent; without it there are none.
    pub webhook_url: Option<String>,
    /// The origin payers see the bank's page on; without it, the one the request for it came to.
    #[serde(default)]
    pub public_url: Option<String>,
    /// A fault script (JSON) to begin with; `POST /sandbox/faults` puts another in its place.
    #[serde(default)]
    pub faults: Option<PathBuf>,
}

/// What the sandbox serves. The two need not stand on the same origin: shops call the API, payers see the pages.
#[derive(Debug)]
pub struct Sandbox {
    /// As Stripe has it.
    pub api: Router,
    /// The bank's, under `/sandbox/`.
    pub pages: Router,
}

/// Replays the ledger and starts its writer and the webhooks on the lifecycle. Runs inside a Tokio runtime.
///
/// # Errors
/// When the ledger cannot be read, is damaged anywhere but at its torn end, or is used by another process; when the
/// fault script makes no sense.
#[expect(clippy::needless_pass_by_value, reason = "a handle, taken like the other roles take theirs")]
pub fn build(settings: Settings, site: &Site, clock: Clock, lifecycle: Lifecycle) -> anyhow::Result<Sandbox> {
    let provider = provider::Provider::start(settings, clock, &lifecycle)?;
    Ok(Sandbox { api: routes::api(provider.clone()), pages: routes::pages(provider, site.clone()) })
}

impl Sandbox {
    /// Both on one port.
    pub fn together(self) -> Router {
        self.api.merge(self.pages)
    }
}
