//! Postgres: the pool, the migrations, and what its errors mean.

use std::{str::FromStr as _, time::Duration};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use crate::{redis::is_loopback, telemetry};

/// The schema, as the folder `migrations/` of this repository has it.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Longest a statement may run.
const STATEMENT_TIMEOUT: &str = "10s";
/// Longest a statement may wait for a lock.
const LOCK_TIMEOUT: &str = "3s";
/// Longest a transaction may lie open between two statements.
const IDLE_TRANSACTION_TIMEOUT: &str = "10s";

/// Where Postgres is, and how much of it we take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `postgres://user:password@host/database`; beyond loopback with `?sslmode=verify-full`.
    pub url: SecretString,
    /// Connections of this process; the counter of booking has some of its own.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
    /// Longest wait for a free connection; who waits longer is told to come back.
    #[serde(default = "default_acquire_timeout_ms")]
    pub acquire_timeout_ms: u64,
}

fn default_max_connections() -> u32 {
    20
}

fn default_acquire_timeout_ms() -> u64 {
    2000
}

/// Opens a pool and one connection in it.
///
/// # Errors
/// When the URL is wrong, leads beyond loopback without verified TLS, or nobody answers.
pub async fn connect(settings: &Settings) -> anyhow::Result<PgPool> {
    telemetry::install_crypto();
    let options =
        PgConnectOptions::from_str(settings.url.expose_secret()).context("postgres.url is no Postgres URL")?;
    check_safe(&options)?;
    let options = options.application_name("onsale").options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_TRANSACTION_TIMEOUT),
    ]);
    PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .test_before_acquire(false) // it would cost a round trip each time
        .connect_with(options)
        .await
        .context("connecting to Postgres")
}

/// Brings the schema up to date, in a session of its own: a large table may take longer than a statement may otherwise.
/// Still nothing waits for its locks longer than for any other, or the on-sale would wait behind it.
///
/// # Errors
/// When the database refuses, or knows migrations that we do not.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    let options = (*pool.connect_options()).clone().options([("statement_timeout", "0")]);
    let mut session = PgConnection::connect_with(&options).await.context("connecting to Postgres")?;
    MIGRATOR.run(&mut session).await?;
    session.close().await?;
    Ok(())
}

/// sqlx would fall back to plain text without a word.
fn check_safe(options: &PgConnectOptions) -> anyhow::Result<()> {
    let host = options.get_host();
    let local = options.get_socket().is_some() || host.starts_with('/') || is_loopback(host);
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => Ok(()),
        _ if local => Ok(()),
        _ => bail!("postgres.url: {host} is beyond loopback, add sslmode=verify-full"),
    }
}

/// The name of the constraint a statement ran into.
pub fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Whether the database, not the statement, is the trouble, so that trying later helps.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// SQLSTATE classes 08 (connection), 53 (resources), 57P (operator intervention), and the
/// timeouts set above.
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>
fn is_unavailable_code(code: &str) -> bool {
    code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("57P")
        || matches!(code, "57014" | "55P03" | "25P03" | "25006")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> anyhow::Result<()> {
        check_safe(&PgConnectOptions::from_str(url).unwrap())
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for fine in [
            "postgres://127.0.0.1/onsale",
            "postgres://localhost/onsale",
            "postgres:///onsale?host=/run/postgresql",
            "postgres://db.example/onsale?sslmode=verify-full",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for unsafe_url in ["postgres://db.example/onsale", "postgres://10.0.0.1/onsale?sslmode=require"] {
            let error = check(unsafe_url).unwrap_err();
            assert!(error.to_string().contains("sslmode=verify-full"), "{error}");
        }
    }

    #[test]
    fn waiting_helps_against_an_outage_not_against_a_mistake() {
        assert!(is_unavailable(&sqlx::Error::PoolTimedOut));
        assert!(!is_unavailable(&sqlx::Error::RowNotFound));
        assert!(is_unavailable_code("57P01") && is_unavailable_code("08006") && is_unavailable_code("53300"));
        assert!(!is_unavailable_code("23505") && !is_unavailable_code("42P01"));
    }
}
