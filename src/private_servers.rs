//! The Redis and Postgres that a stack starts for itself when no URLs are given, and stops with itself.

use std::path::Path;
use std::time::Duration;

use shared::private_stack::{PrivatePostgres, PrivateRedis};

use crate::settings::{Given, Sources};

/// How often it is looked whether they still run.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whatever was started; nothing when both URLs were given.
#[derive(Default)]
pub(crate) struct PrivateServers {
    redis: Option<PrivateRedis>,
    postgres: Option<PrivatePostgres>,
}

impl PrivateServers {
    /// Starts what is missing and says so in `sources`.
    pub(crate) async fn start_missing(
        &mut self,
        given: &Given,
        data_dir: &Path,
        sources: &mut Sources,
    ) -> anyhow::Result<()> {
        if given.redis_url().is_none() {
            let redis = PrivateRedis::start(data_dir).await?;
            sources.set("redis.url", redis.url());
            self.redis = Some(redis);
        }
        if given.database_url().is_none() {
            let postgres = PrivatePostgres::start(data_dir).await?;
            sources.set("postgres.url", postgres.url());
            self.postgres = Some(postgres);
        }
        Ok(())
    }

    /// Returns when one of them has died: a stack without its stores is to be restarted, not to limp.
    pub(crate) async fn died(&mut self) -> anyhow::Error {
        loop {
            let redis = self.redis.as_mut().map_or(Ok(()), PrivateRedis::check);
            let postgres = self.postgres.as_mut().map_or(Ok(()), PrivatePostgres::check);
            if let Err(error) = redis.and(postgres) {
                return error;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops them in order: what was accepted is on disk when this returns.
    pub(crate) async fn stop(&mut self) {
        if let Some(mut postgres) = self.postgres.take()
            && let Err(error) = postgres.stop().await
        {
            tracing::error!(%error, "the private Postgres did not stop well");
        }
        if let Some(mut redis) = self.redis.take()
            && let Err(error) = redis.stop().await
        {
            tracing::error!(%error, "the private Redis did not stop well");
        }
    }
}
