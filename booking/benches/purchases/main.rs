//! The store without HTTP: checkouts and decisions a second, beside pgbench's purchase and the ways others take
//! tickets. A target of `make bench`:
//!
//!     scripts/bench/purchases.sh
//!
//! A Postgres and a Redis of its own; every commit is flushed to the disk. SECONDS= (3) for each measurement.
//!
//! pgbench's purchase and those of the rivals write three rows: a ticket, a booking, a payment. Ours writes what the
//! product needs, counted below, with its indexes and foreign keys.

mod hall;
mod ours;
mod plain;
mod raw;
mod rivals;

use std::{os::unix::fs::PermissionsExt as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use shared::{
    private_stack::{PrivatePostgres, PrivateRedis, Scratch},
    testing::Figures,
};
use sqlx::PgPool;

use hall::Hall;
use raw::Protocol;

/// Callers of our store, from one transaction's worth to what two lanes' batches take.
const CALLERS: [usize; 3] = [32, 128, 512];
/// What the issue asks for: so many times pgbench's rate …
const ABOVE_RAW: f64 = 3.0;
/// … and that of the best rival.
const ABOVE_RIVALS: f64 = 2.0;
/// One caller alone may wait as long as with the plain transaction; a tenth for what two medians differ by anyway.
const ALONE_MAX: f64 = 1.1;
/// Connections of a pool: as many as booking takes by default, and as pgbench has clients.
const OUR_CONNECTIONS: u32 = 20;
const THEIR_CONNECTIONS: u32 = 32;

/// It could not be measured: another exit code than that of a bound missed.
const NOT_MEASURED: u8 = 3;

fn main() -> ExitCode {
    match measure() {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(NOT_MEASURED)
        }
    }
}

fn measure() -> anyhow::Result<ExitCode> {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(Duration::from_secs(seconds)))
}

async fn run(time: Duration) -> anyhow::Result<ExitCode> {
    let data = Scratch::new("onsale-bench")?;
    // when we are root, Postgres is not: it has to get to its folder in there
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o711))?;
    let mut postgres = PrivatePostgres::start(data.path()).await?;
    let mut redis = PrivateRedis::start(data.path()).await?;
    let (ours, theirs) =
        (pool(&postgres.url(), OUR_CONNECTIONS).await?, pool(&postgres.url(), THEIR_CONNECTIONS).await?);
    shared::postgres::MIGRATOR.run(&ours).await?;
    let mut hall = Hall::build(ours.clone()).await?;
    let mut figures = Figures::new("purchases");

    // what cannot be compared with a rate from another minute is measured between two of the yardstick
    raw::prepare(&ours).await?;
    let before = raw::rate(&postgres, data.path(), time, Protocol::Prepared).await?;
    let simple = raw::rate(&postgres, data.path(), time, Protocol::Simple).await?;
    let alone = ours::alone(&mut hall).await?;
    let mut rates = Vec::new();
    for callers in CALLERS {
        let rate = ours::rates(&mut hall, callers, time).await?;
        rates.push((callers, rate));
    }
    let rows = ours::rows_of_a_purchase(&postgres).await?;
    let after = raw::rate(&postgres, data.path(), time, Protocol::Prepared).await?;
    let simple = simple.max(raw::rate(&postgres, data.path(), time, Protocol::Simple).await?);
    let raw = before.max(after);
    figures.is("rows a purchase writes, pgbench", 3.0, "");
    figures.is("rows a purchase writes, ours", rows, "");
    figures.is("pgbench, 32 clients, five round trips, before", before, "/s");
    figures.is("pgbench, 32 clients, five round trips, after", after, "/s");
    figures.is("pgbench, as it is by default: statements as text", simple, "/s");
    for (callers, rate) in &rates {
        figures.is(format!("checkouts, {callers} callers"), rate.checkouts, "/s");
        figures.is(format!("decisions, {callers} callers"), rate.decisions, "/s");
        figures.is(format!("whole purchases, {callers} callers"), rate.purchases, "/s");
    }
    for (callers, rate) in &rates {
        figures.at_least(ABOVE_RAW, format!("checkouts ÷ pgbench, {callers} callers"), rate.checkouts / raw, "");
        figures.at_least(ABOVE_RAW, format!("decisions ÷ pgbench, {callers} callers"), rate.decisions / raw, "");
        figures.is(format!("whole purchases ÷ pgbench, {callers} callers"), rate.purchases / raw, "");
        figures.is(format!("checkouts ÷ pgbench by default, {callers} callers"), rate.checkouts / simple, "");
        figures.is(format!("decisions ÷ pgbench by default, {callers} callers"), rate.decisions / simple, "");
    }
    figures.is("one caller, a checkout, plain transaction", alone.checkout_plain_us, "µs");
    figures.is("one caller, a checkout, ours", alone.checkout_ours_us, "µs");
    figures.is("one caller, a decision, plain transaction", alone.decision_plain_us, "µs");
    figures.is("one caller, a decision, ours", alone.decision_ours_us, "µs");
    figures.at_most(
        ALONE_MAX,
        "one caller, checkout, ours ÷ plain",
        alone.checkout_ours_us / alone.checkout_plain_us,
        "",
    );
    figures.at_most(
        ALONE_MAX,
        "one caller, decision, ours ÷ plain",
        alone.decision_ours_us / alone.decision_plain_us,
        "",
    );

    rivals::prepare(&theirs).await?;
    let mut best: f64 = 0.0;
    for rival in rivals::ALL {
        let rate = rivals::rate(&theirs, &redis.url(), rival, time).await?;
        figures.is(format!("contended, {}", rival.name()), rate, "/s");
        best = best.max(rate);
    }
    let contended = ours::contended(&mut hall, &redis.url(), time).await?;
    figures.is("contended, ours: seats taken", contended.taken, "/s");
    figures.is("contended, ours: fans answered, losers too", contended.answered, "/s");
    figures.at_least(ABOVE_RIVALS, "contended, ours ÷ best rival", contended.taken / best, "");
    ours.close().await;
    theirs.close().await;
    redis.stop().await?;
    postgres.stop().await?;
    Ok(figures.publish()?)
}

async fn pool(url: &str, max_connections: u32) -> anyhow::Result<PgPool> {
    let settings = shared::postgres::Settings { url: url.into(), max_connections, acquire_timeout_ms: 30_000 };
    shared::postgres::connect(&settings).await.context("connecting")
}
