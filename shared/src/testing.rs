//! What the tests of every crate share: a world for each.
//!
//! A [`World`] is a database of its own with the schema in it and a key prefix of its own.
//! The servers are those of `TEST_DATABASE_URL` and `TEST_REDIS_URL`, or private ones that
//! start once for a test program and end with it.

mod database;
mod documented;
mod figures;
mod servers;

use std::str::FromStr as _;

use axum::Router;
use secrecy::SecretString;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use self::documented::{assert_documented, assert_sound};
pub use self::figures::Figures;
use crate::{
    encoding::{hex, random},
    http,
    keyring::Keyring,
    lifecycle::Lifecycle,
    pages::{self, Set, Site},
    postgres,
    redis::{self, Redis},
    server, telemetry,
};

/// Connections of a test's pool.
const POOL: u32 = 10;

/// A database and a Redis prefix nobody else uses; gone when dropped.
#[derive(Debug)]
pub struct World {
    pub pool: PgPool,
    pub redis: Redis,
    pub database_url: String,
    pub redis_url: String,
}

impl World {
    /// For [`postgres::connect`].
    pub fn postgres_settings(&self) -> postgres::Settings {
        postgres::Settings {
            url: SecretString::from(self.database_url.clone()),
            max_connections: POOL,
            acquire_timeout_ms: 5_000,
        }
    }

    /// For [`redis::connect`].
    pub fn redis_settings(&self) -> redis::Settings {
        redis::Settings { url: SecretString::from(self.redis_url.clone()), prefix: self.redis.prefix().to_owned() }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        servers::forget(&self.database_url, self.redis.prefix());
    }
}

/// A new world.
///
/// # Panics
/// When the servers cannot be started or reached; the test cannot go on.
pub async fn world() -> World {
    try_world().await.unwrap_or_else(|error| panic!("no world for this test: {error:#}"))
}

async fn try_world() -> anyhow::Result<World> {
    telemetry::install_crypto();
    let servers = servers::get().await?;
    let name = format!("onsale_test_{}", hex(&random::<8>()));
    let database_url = database::make(&servers.database_url, &name).await?;
    let pool = PgPoolOptions::new()
        .max_connections(POOL)
        .test_before_acquire(false)
        .connect_with(PgConnectOptions::from_str(&database_url)?)
        .await?;
    let redis_url = servers.redis_url.clone();
    let prefix = format!("test-{}", hex(&random::<8>()));
    let redis = redis::connect(&redis::Settings { url: redis_url.clone().into(), prefix }).await?;
    Ok(World { pool, redis, database_url, redis_url })
}

/// A site with the assets of shared alone, and those of `own`.
pub fn site(own: Vec<Set>) -> Site {
    let mut sets = own;
    sets.push(pages::assets());
    Site::new("Onsale", sets)
}

/// The same keys in every test.
pub fn keyring() -> Keyring {
    Keyring::new(vec![[7; 32]], [9; 32]).expect("two different keys")
}

/// Serves `router` behind [`http::front`] on a free port, as long as the test's runtime
/// lives; gives the base URL.
pub async fn serve(router: Router) -> String {
    serve_with(router, server::Settings::default(), Lifecycle::new()).await
}

/// Like [`serve`], with settings (their `listen` is not used) and a lifecycle to stop it by.
///
/// # Panics
/// When there is no free port.
pub async fn serve_with(router: Router, settings: server::Settings, lifecycle: Lifecycle) -> String {
    let listener = server::bind(([127, 0, 0, 1], 0).into(), settings.backlog).expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let router = http::front(router, &settings, &site(Vec::new()));
    let running = lifecycle.clone();
    lifecycle.spawn("server", async move { server::serve(listener, router, &settings, &running).await });
    format!("{scheme}://{address}")
}
