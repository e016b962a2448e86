//! How Redis and Postgres are doing, and whether they agree on the time.

use std::collections::HashMap;

use anyhow::Context as _;
use shared::postgres::MIGRATOR;
use shared::redis::Redis;
use sqlx::PgPool;

use super::super::tool::Target;
use super::Finding;

/// Admission times are Redis's, everything else is Postgres's: beyond this they confuse people.
const SKEW_MAX_MS: i64 = 500;
/// What our SQL needs.
const POSTGRES_MIN: i32 = 150_000;
/// What our scripts need.
const REDIS_MIN: u32 = 7;

pub(super) async fn look(target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pool = target.pool().await;
    let redis = target.redis().await;
    match &pool {
        Ok(pool) => findings.extend([postgres_version(pool).await, migrations(pool).await]),
        Err(failure) => findings.push(Finding::fail("postgres", failure.detail(), "check DATABASE_URL and the server")),
    }
    match &redis {
        Ok(redis) => findings.extend(redis_settings(redis).await),
        Err(failure) => findings.push(Finding::fail("redis", failure.detail(), "check REDIS_URL and the server")),
    }
    if let (Ok(pool), Ok(redis)) = (pool, redis) {
        findings.push(skew(&pool, &redis).await);
    }
    findings
}

async fn postgres_version(pool: &PgPool) -> Finding {
    let asked = sqlx::query_as::<_, (i32, String)>(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
    )
    .fetch_one(pool)
    .await;
    match asked {
        Ok((number, version)) if number >= POSTGRES_MIN => Finding::ok("postgres", version),
        Ok((_, version)) => Finding::fail("postgres", version, "use PostgreSQL 15 or newer"),
        Err(error) => Finding::fail("postgres", error.to_string(), "check the server"),
    }
}

async fn migrations(pool: &PgPool) -> Finding {
    let applied = sqlx::query_scalar::<_, i64>("SELECT version FROM _sqlx_migrations WHERE success")
        .fetch_all(pool)
        .await
        .unwrap_or_default(); // no such table: none was applied
    let missing: Vec<_> =
        MIGRATOR.iter().map(|migration| migration.version).filter(|version| !applied.contains(version)).collect();
    if missing.is_empty() {
        return Finding::ok("migrations", format!("{} applied", applied.len()));
    }
    Finding::fail("migrations", format!("not applied: {missing:?}"), "run `onsale migrate`")
}

async fn redis_settings(redis: &Redis) -> Vec<Finding> {
    let mut findings = vec![match redis_version(redis).await {
        Ok((major, version)) if major >= REDIS_MIN => Finding::ok("redis", version),
        Ok((_, version)) => Finding::fail("redis", version, "use Redis 7 or newer, or Valkey"),
        Err(error) => Finding::fail("redis", format!("{error:#}"), "check the server"),
    }];
    let config = |name: &'static str| {
        let mut redis = redis.clone();
        async move {
            let asked: redis::RedisResult<HashMap<String, String>> =
                redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut redis).await;
            asked.ok().and_then(|mut found| found.remove(name))
        }
    };
    findings.push(match config("maxmemory-policy").await.as_deref() {
        Some("noeviction") => Finding::ok("maxmemory-policy", "noeviction"),
        Some(other) => Finding::fail("maxmemory-policy", other, "CONFIG SET maxmemory-policy noeviction"),
        None => Finding::warn("maxmemory-policy", "CONFIG is not allowed", "make sure it is noeviction"),
    });
    findings.push(match config("appendonly").await.as_deref() {
        Some("yes") => Finding::ok("appendonly", "yes"),
        Some(other) => Finding::warn(
            "appendonly",
            format!("{other}: a restart of Redis makes every fan show the pass again"),
            "CONFIG SET appendonly yes",
        ),
        None => Finding::warn("appendonly", "CONFIG is not allowed", "make sure it is yes"),
    });
    findings
}

/// Major version, and the name and version to show; Valkey names itself.
async fn redis_version(redis: &Redis) -> anyhow::Result<(u32, String)> {
    let mut redis = redis.clone();
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (name, version) = match field("valkey_version:") {
        Some(version) => ("Valkey", version),
        None => ("Redis", field("redis_version:").context("INFO names no version")?),
    };
    let major = version.split('.').next().and_then(|major| major.parse().ok()).context("an odd version")?;
    Ok((major, format!("{name} {version}")))
}

async fn skew(pool: &PgPool, redis: &Redis) -> Finding {
    match skew_ms(pool, redis).await {
        Ok(skew) if skew.abs() <= SKEW_MAX_MS => {
            Finding::ok("clocks", format!("Redis and Postgres differ by {skew} ms"))
        }
        Ok(skew) => Finding::warn(
            "clocks",
            format!("Redis and Postgres differ by {skew} ms"),
            "keep both machines on NTP: opening times are Redis's, sessions and holds are Postgres's",
        ),
        Err(error) => Finding::warn("clocks", format!("could not be compared: {error:#}"), "check both servers"),
    }
}

/// Redis's clock minus Postgres's, the question's own duration split evenly.
async fn skew_ms(pool: &PgPool, redis: &Redis) -> anyhow::Result<i64> {
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let mut redis = redis.clone();
    let before: i64 = sqlx::query_scalar(NOW).fetch_one(pool).await?;
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut redis).await?;
    let after: i64 = sqlx::query_scalar(NOW).fetch_one(pool).await?;
    Ok(seconds * 1000 + micros / 1000 - i64::midpoint(before, after))
}
