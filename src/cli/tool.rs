//! What the tools share: the stores of the running stack, or those that were named.

use shared::keyring::Keyring;
use shared::redis::Redis;
use shared::{postgres, redis};
use sqlx::PgPool;

use super::Globals;
use crate::failure::Failure;
use crate::secrets::Secrets;
use crate::settings::{Settings, Sources};
use crate::stack::Stack;

/// Settings completed from `stack.json` where no URL was named.
pub(super) struct Target {
    sources: Sources,
    /// Where the running stack tells how far its index is; `None` when none runs on this database.
    pub(super) private_url: Option<String>,
    secrets: Option<std::path::PathBuf>,
}

impl Target {
    /// For tools that write to Postgres.
    pub(super) fn database(globals: &Globals) -> Result<Self, Failure> {
        Self::find(globals, false)
    }

    /// For tools that steer the line too.
    pub(super) fn database_and_redis(globals: &Globals) -> Result<Self, Failure> {
        Self::find(globals, true)
    }

    fn find(globals: &Globals, needs_redis: bool) -> Result<Self, Failure> {
        let mut sources = globals.sources();
        let given = sources.given()?;
        let complete = given.database_url().is_some() && (!needs_redis || given.redis_url().is_some());
        let stack = match Stack::find(&globals.data_dir) {
            Ok(stack) => Some(stack),
            Err(failure) if !complete => return Err(failure),
            Err(_) => None, // the stores were named; no stack is needed
        };
        let Some(stack) = stack else {
            return Ok(Self { sources, private_url: None, secrets: None });
        };
        // named or not: the same database has the same index and keys
        let same = given.database_url().is_none_or(|url| url == stack.database_url);
        let private_url = same.then_some(stack.private_url);
        let secrets = (same && !given.has_keys()).then(|| Secrets::path(&globals.data_dir));
        if given.database_url().is_none() {
            sources.set("postgres.url", stack.database_url);
        }
        if given.redis_url().is_none() {
            sources.set("redis.url", stack.redis_url);
        }
        Ok(Self { sources, private_url, secrets })
    }

    pub(super) async fn pool(&self) -> Result<PgPool, Failure> {
        Ok(postgres::connect(self.settings()?.postgres()?).await?)
    }

    pub(super) async fn redis(&self) -> Result<Redis, Failure> {
        Ok(redis::connect(self.settings()?.redis()?).await?)
    }

    pub(super) fn keyring(&self) -> Result<Keyring, Failure> {
        let mut sources = self.sources.clone();
        if let Some(file) = &self.secrets {
            sources.set("keys.file", file.display().to_string());
        }
        sources.load()?.keys.keyring()
    }

    fn settings(&self) -> Result<Settings, Failure> {
        self.sources.load()
    }
}
