//! The composition root.

use std::sync::Arc;

use admission::{
    line::{Batcher, Line},
    pass::Passes,
    session::Sessions,
    token::Signer,
};
use axum::Router;
use shared::{clock::Clock, keyring::Keyring, lifecycle::Lifecycle, pages::Site, rate_limit::RateLimit, redis::Redis};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{Settings, crowd::Crowds, routes};

/// What the service needs from outside.
pub struct Deps {
    pub redis: Redis,
    pub keyring: Keyring,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    /// The origin fans see, as `https://tickets.example`: the issuer of admission tokens.
    pub public_url: String,
    pub site: Site,
}

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) line: Line,
    pub(crate) batcher: Batcher,
    pub(crate) crowds: Crowds,
    pub(crate) passes: Passes,
    pub(crate) sessions: Sessions,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
    pub(crate) streams: Arc<Semaphore>,
    /// Joins by API and by page count together.
    pub(crate) joins: RateLimit,
    pub(crate) stopping: CancellationToken,
    pub(crate) site: Site,
}

/// The fans' API as a router; its background work ends with `deps.lifecycle`.
pub async fn build(settings: Settings, deps: Deps) -> anyhow::Result<Router> {
    let line = Line::new(deps.redis);
    let stopping = deps.lifecycle.stopping();
    let app = App {
        batcher: Batcher::new(line.clone(), &deps.lifecycle),
        crowds: Crowds::new(line.clone(), &settings, deps.lifecycle.clone()),
        line,
        passes: Passes::new(&deps.keyring),
        sessions: Sessions::new(&deps.keyring),
        signer: Signer::new(&deps.keyring, &deps.public_url)?,
        clock: deps.clock,
        joins: RateLimit::new("join", settings.join),
        streams: Arc::new(Semaphore::new(settings.streams_max)),
        stopping,
        site: deps.site,
    };
    Ok(routes::router(app))
}
