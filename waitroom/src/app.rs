//! The composition root.

use std::{ops::Deref, sync::Arc};

use admission::{
    line::{Batcher, Line},
    pass::Passes,
    session::Sessions,
    token::Signer,
};
use axum::Router;
use shared::{
    clock::Clock, keyring::Keyring, lifecycle::Lifecycle, pages::Site, rate_limit::RateLimit, redis::Redis,
    vault::Vault,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Settings,
    crowd::Crowds,
    hub::{Hub, Renderer},
    pages::Logos,
    routes::{self, draw::Draws},
};

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

/// What every handler may use. Each layer of the middleware clones it for each request, so a clone is one count.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) line: Line,
    pub(crate) batcher: Batcher,
    pub(crate) crowds: Crowds,
    pub(crate) draws: Draws,
    pub(crate) passes: Passes,
    pub(crate) sessions: Sessions,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
    pub(crate) hub: Hub,
    /// Joins by API and by page count together.
    pub(crate) joins: RateLimit,
    /// Codes asked for, codes handed in, and mails asked for; each by API and by page together.
    pub(crate) codes: RateLimit,
    pub(crate) moves: RateLimit,
    pub(crate) mails: RateLimit,
    /// Seals the addresses of who wants a mail.
    pub(crate) vault: Vault,
    pub(crate) stopping: CancellationToken,
    pub(crate) site: Site,
    pub(crate) public_url: String,
    pub(crate) logos: Logos,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The fans' API as a router; its background work ends with `deps.lifecycle`.
pub async fn build(settings: Settings, deps: Deps) -> anyhow::Result<Router> {
    let line = Line::new(deps.redis);
    let stopping = deps.lifecycle.stopping();
    let passes = Passes::new(&deps.keyring);
    let signer = Signer::new(&deps.keyring, &deps.public_url)?;
    let renderer = Renderer { passes: passes.clone(), signer: signer.clone() };
    let hub = Hub::start(&settings, &line, renderer, &deps.lifecycle)?;
    let parts = Parts {
        batcher: Batcher::new(line.clone(), &deps.lifecycle),
        crowds: Crowds::new(line.clone(), hub.clone(), &settings, deps.lifecycle.clone()),
        draws: Draws::new(line.clone()),
        line,
        passes,
        sessions: Sessions::new(&deps.keyring),
        signer,
        clock: deps.clock,
        joins: RateLimit::new("join", settings.join),
        codes: RateLimit::new("code", settings.code),
        moves: RateLimit::new("move", settings.moves),
        mails: RateLimit::new("mail", settings.mail),
        vault: Vault::new(&deps.keyring),
        hub,
        stopping,
        site: deps.site,
        public_url: deps.public_url,
        logos: Logos::default(),
    };
    Ok(routes::router(App(Arc::new(parts))))
}
