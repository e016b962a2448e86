//! The composition root: which role gets which stores, keys and settings.

use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use shared::clock::Clock;
use shared::keyring::Keyring;
use shared::lifecycle::Lifecycle;
use shared::pages::{self, Site};
use shared::private::Check;
use shared::redis::Redis;
use sqlx::PgPool;
use utoipa::openapi::OpenApi;

use crate::failure::Failure;
use crate::settings::Settings;

/// What every role is built from.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) keyring: Keyring,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    /// The one origin that fans see; also the issuer of admission tokens.
    pub(crate) public_url: String,
    pub(crate) site: Site,
    /// Where booking keeps its index and the sandbox its ledger.
    pub(crate) data_dir: PathBuf,
}

/// The site with the assets of all roles, whichever of them this process has.
pub(crate) fn site(settings: &Settings) -> Site {
    let sets = vec![pages::assets(), waitroom::assets(), booking::assets(), admission::assets()];
    Site::new(&settings.server.brand, sets)
}

/// One or more roles, ready to be served: what fans reach, and what only the machine's owner reaches.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) public: Router,
    /// What `public` serves, a document a role.
    pub(crate) api: Vec<OpenApi>,
    pub(crate) private: Router,
    pub(crate) checks: Vec<Check>,
}

impl Built {
    /// Both on one port.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.public = self.public.merge(other.public);
        self.api.extend(other.api);
        self.private = self.private.merge(other.private);
        self.checks.extend(other.checks);
        self
    }
}

pub(crate) async fn waitroom(parts: &Parts, redis: Redis) -> Result<Built, Failure> {
    let deps = waitroom::Deps {
        redis,
        keyring: parts.keyring.clone(),
        clock: parts.clock.clone(),
        lifecycle: parts.lifecycle.clone(),
        site: parts.site.clone(),
        public_url: parts.public_url.clone(),
    };
    let public = waitroom::build(parts.settings.waitroom.clone(), deps).await?;
    Ok(Built { public, api: vec![waitroom::openapi()], ..Built::default() })
}

pub(crate) async fn admission(parts: &Parts, redis: Redis, pool: PgPool) -> Result<Built, Failure> {
    let deps = admission::Deps {
        pool,
        redis,
        keyring: parts.keyring.clone(),
        clock: parts.clock.clone(),
        lifecycle: parts.lifecycle.clone(),
        site: parts.site.clone(),
    };
    let public = admission::build(parts.settings.admission.clone(), deps).await?;
    Ok(Built { public, api: vec![admission::openapi()], ..Built::default() })
}

pub(crate) async fn booking(parts: &Parts, redis: Redis, pool: PgPool) -> Result<Built, Failure> {
    let deps = booking::Deps {
        pool,
        redis,
        keyring: parts.keyring.clone(),
        clock: parts.clock.clone(),
        public_url: parts.public_url.clone(),
        lifecycle: parts.lifecycle.clone(),
        site: parts.site.clone(),
        data_dir: parts.data_dir.clone(),
    };
    let (public, app) = booking::build(parts.settings.booking.clone(), deps).await?;
    // `onsale import` waits for this number
    let progress = get(async move || axum::Json(serde_json::json!({ "through": app.search.through() })));
    let private = Router::new().route("/index", progress);
    Ok(Built { public, api: vec![booking::openapi()], private, ..Built::default() })
}

/// Redis answers.
pub(crate) fn redis_check(redis: &Redis) -> Check {
    let redis = redis.clone();
    Check::new("redis", move || {
        let mut redis = redis.clone();
        async move { Ok(::redis::cmd("PING").query_async::<()>(&mut redis).await?) }
    })
}

/// Postgres answers.
pub(crate) fn postgres_check(pool: &PgPool) -> Check {
    let pool = pool.clone();
    Check::new("postgres", move || {
        let pool = pool.clone();
        async move {
            sqlx::query("SELECT 1").execute(&pool).await?;
            Ok(())
        }
    })
}
