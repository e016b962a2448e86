//! The composition root: everything a request or a background job of this role needs,
//! built once from settings and connections.

use std::{ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use admission::{line::Line, password::Passwords, session::Sessions, token::Verifier};
use anyhow::Context as _;
use axum::Router;
use moka::future::Cache;
use shared::{
    clock::Clock, keyring::Keyring, lifecycle::Lifecycle, pages::Site, rate_limit::RateLimit, redis::Redis,
    vault::Vault,
};
use sqlx::PgPool;

use crate::{
    catalogue::{availability::Availabilities, details::DetailsCache, layout_bodies::LayoutBodies, on_sale::OnSales},
    notify::Notifier,
    payments::Stripe,
    purchase::{self, counter::Counter, outbox},
    routes::{self, cached::Page},
    search::{Search, follow},
    seats::{Seats, live::Lives, plan::Plans, snapshot::Snapshots},
    settings::{Quotas, Settings},
};

/// Answers to searches kept for the next asker.
const ANSWERS_MAX: u64 = 2_000;

/// What the process hands to this role.
#[derive(Clone)]
pub struct Deps {
    pub pool: PgPool,
    pub redis: Redis,
    pub keyring: Keyring,
    pub clock: Clock,
    /// Public origin; the issuer that admission tokens name.
    pub public_url: String,
    pub lifecycle: Lifecycle,
    /// Where this process keeps its search index (`index/`); no other process may use it.
    pub data_dir: PathBuf,
    pub site: Site,
}

/// A cheap handle on the role's parts.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    pub settings: Settings,
    pub pool: PgPool,
    pub redis: Redis,
    pub line: Line,
    pub clock: Clock,
    /// Public origin without a trailing slash: payment pages send fans back to it.
    pub public_url: String,
    pub keyring: Keyring,
    pub vault: Vault,
    pub sessions: Sessions,
    pub admissions: Verifier,
    pub passwords: Passwords,
    pub stripe: Stripe,
    pub search: Search,
    /// Answers to searches, at most `availability_ms` old.
    pub(crate) answers: Cache<String, Page>,
    pub details: DetailsCache,
    pub on_sales: OnSales,
    pub availabilities: Availabilities,
    pub snapshots: Snapshots,
    pub layouts: LayoutBodies,
    pub seats: Seats,
    /// Seat maps that somebody watches.
    pub(crate) lives: Lives,
    /// Halls as their pages list them.
    pub(crate) plans: Plans,
    pub notifier: Notifier,
    /// Where checkouts and decisions queue.
    pub counter: Counter,
    pub outbox: outbox::Wakers,
    pub limits: Limits,
    pub site: Site,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Rate limits, by client address where nothing else is said.
pub struct Limits {
    pub sign_in: RateLimit,
    pub registration: RateLimit,
    pub checkout: RateLimit,
    pub confirm: RateLimit,
    /// By account.
    pub confirm_account: RateLimit,
}

impl Limits {
    fn new(quotas: &Quotas) -> Self {
        Self {
            sign_in: RateLimit::new("sign-in", quotas.sign_in),
            registration: RateLimit::new("registration", quotas.registration),
            checkout: RateLimit::new("checkout", quotas.checkout),
            confirm: RateLimit::new("confirm", quotas.checkout),
            confirm_account: RateLimit::new("confirm-account", quotas.confirm),
        }
    }
}

/// Builds the role: its routes, its state, and its background jobs on the lifecycle.
pub async fn build(settings: Settings, deps: Deps) -> anyhow::Result<(Router, App)> {
    settings.stripe.check()?;
    outbox::check(&settings)?;
    let stripe_base = settings.stripe.api_base.parse().context("booking.stripe.api_base")?;
    let moment = Duration::from_millis(settings.availability_ms);
    let app = App(Arc::new(Inner {
        line: Line::new(deps.redis.clone()),
        vault: Vault::new(&deps.keyring),
        sessions: Sessions::new(&deps.keyring),
        admissions: Verifier::new(&deps.keyring, &deps.public_url)?,
        passwords: Passwords::new(&deps.keyring),
        stripe: Stripe::new(stripe_base, settings.stripe.secret_key.clone())?,
        search: Search::open(&deps.data_dir, settings.index_writer_bytes)?,
        answers: Cache::builder().max_capacity(ANSWERS_MAX).time_to_live(moment).build(),
        details: DetailsCache::new(moment),
        on_sales: OnSales::new(moment),
        availabilities: Availabilities::new(moment),
        snapshots: Snapshots::new(moment),
        layouts: LayoutBodies::new(),
        seats: Seats::new(&settings),
        lives: Lives::new(&settings, &deps.lifecycle),
        plans: Plans::new(),
        notifier: Notifier::new(&settings, &deps.keyring)?,
        counter: Counter::open(&deps.pool, &deps.lifecycle),
        outbox: outbox::Wakers::default(),
        limits: Limits::new(&settings.limits),
        site: deps.site,
        public_url: deps.public_url.trim_end_matches('/').to_owned(),
        keyring: deps.keyring,
        pool: deps.pool,
        redis: deps.redis,
        clock: deps.clock,
        settings,
    }));
    spawn_jobs(&app, &deps.lifecycle);
    Ok((routes::router(app.clone()), app))
}

/// Background jobs, ended by the lifecycle.
fn spawn_jobs(app: &App, lifecycle: &Lifecycle) {
    let poll = Duration::from_millis(app.settings.index_poll_ms);
    let stop = lifecycle.stopping();
    lifecycle.spawn("index", follow::follow(app.search.clone(), app.pool.clone(), poll, stop));
    purchase::spawn(app, lifecycle);
}
