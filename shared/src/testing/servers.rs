//! The servers behind all worlds of a test program.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use tokio::sync::OnceCell;

use super::database;
use crate::private_stack::{PostgresOptions, PrivatePostgres, PrivateRedis, Scratch};

#[derive(Debug)]
pub(super) struct Servers {
    pub(super) database_url: String,
    pub(super) redis_url: String,
}

/// The private ones, kept here so that the end of the program stops them: statics are not dropped.
static PRIVATE: Mutex<Option<Private>> = Mutex::new(None);

struct Private {
    _postgres: Option<PrivatePostgres>,
    _redis: Option<PrivateRedis>,
    _data: Scratch, // last: the servers stop before their data goes
}

pub(super) async fn get() -> anyhow::Result<&'static Servers> {
    static SERVERS: OnceCell<Servers> = OnceCell::const_new();
    SERVERS.get_or_try_init(start).await
}

async fn start() -> anyhow::Result<Servers> {
    let given = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
    let (database_url, redis_url) = (given("TEST_DATABASE_URL"), given("TEST_REDIS_URL"));
    if let (Some(database_url), Some(redis_url)) = (database_url.clone(), redis_url.clone()) {
        return Ok(Servers { database_url, redis_url });
    }
    let data = Scratch::new("onsale-test")?;
    open_to_postgres(&data)?;
    let options = PostgresOptions { fsync: false, max_connections: 400 };
    let postgres = match &database_url {
        Some(_) => None,
        None => Some(PrivatePostgres::start_with(data.path(), options).await?),
    };
    let redis = match &redis_url {
        Some(_) => None,
        None => Some(PrivateRedis::start(data.path()).await?),
    };
    let servers = Servers {
        database_url: database_url.or_else(|| postgres.as_ref().map(PrivatePostgres::url)).context("a Postgres")?,
        redis_url: redis_url.or_else(|| redis.as_ref().map(PrivateRedis::url)).context("a Redis")?,
    };
    let private = Private { _postgres: postgres, _redis: redis, _data: data };
    *PRIVATE.lock().unwrap_or_else(PoisonError::into_inner) = Some(private);
    stop_at_exit();
    Ok(servers)
}

/// Postgres, as its own user, must be able to pass through to its folder.
fn open_to_postgres(data: &Scratch) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o711))?)
}

fn stop_at_exit() {
    extern "C" fn stop() {
        // whatever goes wrong here, the kernel stops the servers a moment later
        let private = PRIVATE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(private)));
    }
    #[allow(unsafe_code, reason = "registers a function that lives as long as the program and unwinds never")]
    let failed = unsafe { libc::atexit(stop) } != 0;
    if failed {
        tracing::warn!("the test servers' folder will be left for the next run to sweep");
    }
}

/// Removes what a world leaves, as well as it can; at the latest it goes with the servers.
pub(super) fn forget(database_url: &str, prefix: &str) {
    let is_private = PRIVATE.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let (database_url, prefix) = (database_url.to_owned(), prefix.to_owned());
    // a runtime of its own: the test's may be gone, and cannot be waited for in a Drop
    let removal = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            database::drop(&database_url).await?;
            match std::env::var("TEST_REDIS_URL") {
                Ok(url) if !is_private && !url.is_empty() => delete_keys(&url, &prefix).await,
                _ => Ok(()),
            }
        })
    });
    if let Ok(Err(error)) = removal.join() {
        tracing::warn!(error = format!("{error:#}"), "left behind by a test");
    }
}

async fn delete_keys(url: &str, prefix: &str) -> anyhow::Result<()> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}*"))
            .arg("COUNT")
            .arg(1000)
            .query_async(&mut connection)
            .await?;
        if !keys.is_empty() {
            redis::cmd("UNLINK").arg(&keys).exec_async(&mut connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
