//! The line at the store with a million places in it: joins, releases and the pulse, each with the
//! same at a thousand places or with bare commands beside it. A target of `make bench`:
//!
//!     cargo bench -p admission --bench line
//!
//! A Redis of its own, its append-only file synced every second. PLACES= (1000000).
//!
//! Times marked *of Redis* are its own (`INFO commandstats`): what a step keeps everybody else waiting.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{
    ids::{DropId, Place},
    line::{Batcher, Line, Newcomer},
    pace,
};
use anyhow::{Context as _, ensure};
use redis::Script;
use shared::{
    lifecycle::Lifecycle,
    private_stack::{PrivateRedis, Scratch},
    redis::Redis,
    testing::Figures,
};
use tokio::task::JoinSet;

/// Members of one call, as the batcher sends them.
const CALL: u64 = 256;
/// Calls under way at a time: Redis never waits for us.
const AT_A_TIME: u64 = 4;
/// Places when the line is called short.
const SHORT: u64 = 1_000;
/// Places joined in each of the short measurements.
const SOME: u64 = 100_000;
/// Fans who join one by one through the batcher.
const FANS: u64 = 1_024;
/// Steps of the release loop that are timed; each calls a few more fans.
const STEPS: u64 = 100;
/// Looks that are timed.
const LOOKS: u64 = 50;
/// What is timed together; the middle block counts.
const BLOCK: u64 = 10;
/// Longest wait for Redis to rewrite its file.
const REWRITE_MAX: Duration = Duration::from_secs(30);
/// Commands a pipeline of the baseline carries.
const PIPELINE: u64 = 64;

/// The least any queue on Redis does for a join: count, take a place, keep a note.
const BARE_JOIN: &str = "local n = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], 'NX', n, ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], n)
return redis.call('ZCARD', KEYS[2])";

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
    let places: u64 = std::env::var("PLACES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    ensure!(places >= 4 * SOME, "PLACES must be at least {}", 4 * SOME);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(places))
}

async fn run(places: u64) -> anyhow::Result<ExitCode> {
    let data = Scratch::new("onsale-bench")?;
    let mut private = PrivateRedis::start(data.path()).await?;
    let settings = shared::redis::Settings { url: private.url().into(), prefix: "bench".to_owned() };
    let redis = shared::redis::connect(&settings).await?;
    // A drop of its own: fans called in the one and silent ever since would make the other call ten for each of its
    // slots, and the steps to compare would not be the same work.
    let (matinee, bench) = (Bench::new(redis.clone(), "matinee").await?, Bench::new(redis, "evening").await?);
    let mut figures = Figures::new("line");

    let bare = bench.bare_joins().await?;
    figures.is("bare join script, pipelined by 64", bare, "/s");

    matinee.join(0..SHORT).await?;
    let short = matinee.steps(&mut figures, "1,000 waiting").await?;

    bench.join(0..SHORT).await?;
    let first = bench.join(SHORT..SHORT + SOME).await?;
    let batched = bench.join_one_by_one(SHORT + SOME..SHORT + 2 * SOME).await?;
    eprintln!("filling the line");
    bench.join(SHORT + 2 * SOME..places - SOME).await?;
    let last = bench.join(places - SOME..places).await?;
    figures.is("joins, 256 a call, line short", first.rate, "/s");
    figures.is("joins, 256 a call, line of a million", last.rate, "/s");
    // a join looks wherever a place may stand, and tells the rank: some thirteen commands to the bare script's four
    figures.at_least(0.5, "joins, a million ÷ bare script", last.rate / bare, "");
    figures.at_least(0.6, "joins, a million ÷ short", last.rate / first.rate, "");
    figures.is("joins one by one, batched, 1,024 fans", batched.rate, "/s");
    figures.is("of Redis, a join, line short", first.redis_us, "µs");
    figures.is("of Redis, a join, line of a million", last.redis_us, "µs");

    let long = bench.steps(&mut figures, "a million waiting").await?;
    ensure!(
        short.called.abs_diff(long.called) * 10 <= short.called,
        "not the same work: {} calls with 1,000 waiting, {} with a million",
        short.called,
        long.called
    );
    figures.at_most(2.0, "release step, a million ÷ 1,000", long.release_us / short.release_us, "");
    figures.at_most(2.0, "look at changes, a million ÷ 1,000", long.changes_us / short.changes_us, "");
    // once a second and drop: a hundredth of Redis's time
    figures.at_most(10_000.0, "pulse with positions, a million", long.pivots_us, "µs");
    figures.is("pulse with positions, a million ÷ 1,000", long.pivots_us / short.pivots_us, "");
    figures.is("Redis's memory, a place", bench.info("memory", "used_memory:").await? / places as f64, "bytes");
    private.stop().await?;
    Ok(figures.publish()?)
}

struct Bench {
    redis: Redis,
    line: Line,
    drop: DropId,
}

struct Joins {
    rate: f64,
    redis_us: f64,
}

struct Steps {
    /// Fans called in all steps.
    called: u64,
    release_us: f64,
    changes_us: f64,
    pivots_us: f64,
}

impl Bench {
    async fn new(redis: Redis, drop: &str) -> anyhow::Result<Self> {
        let (line, drop) = (Line::new(redis.clone()), DropId::parse(drop).context("a slug")?);
        let control = [
            ("epoch", "1"),
            ("rate", "60"),
            ("max_active", "1000000"),
            ("claim_us", "3600000000"),
            ("grace_us", "3600000000"),
            ("session_us", "3600000000"),
            ("opens_at", "1"),
            ("title", "An evening with nobody"),
            ("events", r#"["01890000-0000-7000-8000-000000000000"]"#),
        ];
        line.create(&drop, &control.map(|(field, value)| (field, value.to_owned()))).await?;
        Ok(Self { redis, line, drop })
    }

    /// The small script of [`BARE_JOIN`], joins a second.
    async fn bare_joins(&self) -> anyhow::Result<f64> {
        let script = Script::new(BARE_JOIN);
        script.prepare_invoke().load_async(&mut self.redis.clone()).await?;
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for part in 0..AT_A_TIME {
            let (mut redis, hash) = (self.redis.clone(), script.get_hash().to_owned());
            calls.spawn(async move {
                for from in (part * PIPELINE..SOME).step_by((AT_A_TIME * PIPELINE) as usize) {
                    let mut pipeline = redis::pipe();
                    for n in from..from + PIPELINE {
                        let keys = ["{bare}:count", "{bare}:line", "{bare}:notes"];
                        pipeline.cmd("EVALSHA").arg(&hash).arg(keys.len()).arg(&keys).arg(place(n).to_string());
                    }
                    let _ranks: Vec<u64> = pipeline.query_async(&mut redis).await?;
                }
                redis::RedisResult::Ok(())
            });
        }
        while let Some(done) = calls.join_next().await {
            done??;
        }
        Ok(SOME as f64 / began.elapsed().as_secs_f64())
    }

    /// Joins in calls of many members.
    async fn join(&self, numbers: std::ops::Range<u64>) -> anyhow::Result<Joins> {
        self.reset().await?;
        let (count, began) = (numbers.end - numbers.start, Instant::now());
        let mut calls = JoinSet::new();
        for part in 0..AT_A_TIME {
            let (line, drop, numbers) = (self.line.clone(), self.drop.clone(), numbers.clone());
            calls.spawn(async move {
                let from = numbers.start + part * CALL;
                for from in (from..numbers.end).step_by((AT_A_TIME * CALL) as usize) {
                    let who: Vec<_> = (from..numbers.end.min(from + CALL)).map(newcomer).collect();
                    let answers = line.join(&drop, &who).await?.1;
                    ensure!(answers.len() == who.len(), "{} answers to {} joins", answers.len(), who.len());
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = calls.join_next().await {
            done??;
        }
        Ok(Joins {
            rate: count as f64 / began.elapsed().as_secs_f64(),
            redis_us: self.redis_us().await? / count as f64,
        })
    }

    /// Joins as requests do: each fan waits for the answer, the batcher sends together what waits together.
    async fn join_one_by_one(&self, numbers: std::ops::Range<u64>) -> anyhow::Result<Joins> {
        self.reset().await?;
        let lifecycle = Lifecycle::new();
        let batcher = Arc::new(Batcher::new(self.line.clone(), &lifecycle));
        let (count, began) = (numbers.end - numbers.start, Instant::now());
        let mut fans = JoinSet::new();
        for fan in 0..FANS {
            let (batcher, drop, numbers) = (batcher.clone(), self.drop.clone(), numbers.clone());
            fans.spawn(async move {
                for n in (numbers.start + fan..numbers.end).step_by(FANS as usize) {
                    batcher.join(&drop, newcomer(n)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = fans.join_next().await {
            done??;
        }
        let elapsed = began.elapsed();
        lifecycle.stop();
        Ok(Joins { rate: count as f64 / elapsed.as_secs_f64(), redis_us: self.redis_us().await? / count as f64 })
    }

    /// Times the loops that run while nobody joins: the release, and what waitrooms read.
    async fn steps(&self, figures: &mut Figures, when: &str) -> anyhow::Result<Steps> {
        self.wait_for_rewrite().await?;
        let (mut called, mut blocks) = (0, Vec::new());
        for block in (0..STEPS).step_by(BLOCK as usize) {
            self.reset().await?;
            for step in block..block + BLOCK {
                // a rate that grows by one a second calls a few more each time
                called += self.line.release(&self.drop, pace::level((step + 1) * 60, 0)).await?.1.called;
            }
            blocks.push(self.redis_us().await? / BLOCK as f64);
        }
        ensure!(called > 0, "nobody was called");
        let release_us = middle(blocks);
        figures.is(format!("of Redis, a release step, {when}"), release_us, "µs");
        figures.is(format!("  fans called a step, {when}"), called as f64 / STEPS as f64, "");

        let (mut last, mut told, mut blocks) = ("0-0".to_owned(), 0, Vec::new());
        for _ in 0..LOOKS / BLOCK {
            self.reset().await?;
            for _ in 0..BLOCK {
                let watched = self.line.watch(&self.drop, Some(&last), false).await?.1;
                told += watched.changes.len();
                last = watched.last_change;
            }
            blocks.push(self.redis_us().await? / BLOCK as f64);
        }
        ensure!(told as u64 >= called, "{told} changes for {called} calls");
        let changes_us = middle(blocks);
        figures.is(format!("of Redis, a look at changes, {when}"), changes_us, "µs");

        let (mut took, mut pivots, mut bytes, mut blocks) = (Vec::new(), 0, 0.0, Vec::new());
        for _ in 0..LOOKS / BLOCK {
            self.reset().await?;
            let before = self.info("stats", "total_net_output_bytes:").await?;
            for _ in 0..BLOCK {
                let began = Instant::now();
                pivots = self.line.watch(&self.drop, Some(&last), true).await?.1.pivots.len();
                took.push(began.elapsed());
            }
            bytes = (self.info("stats", "total_net_output_bytes:").await? - before) / BLOCK as f64;
            blocks.push(self.redis_us().await? / BLOCK as f64);
        }
        let pivots_us = middle(blocks);
        took.sort_unstable();
        figures.is(format!("of Redis, a pulse with positions, {when}"), pivots_us, "µs");
        figures.is(format!("  there and back, median, {when}"), millis(took[took.len() / 2]), "ms");
        figures.is(format!("  pivots, {when}"), pivots as f64, "");
        figures.is(format!("  bytes, {when}"), bytes, "");
        Ok(Steps { called, release_us, changes_us, pivots_us })
    }

    /// A rewrite of the append-only file, which a million joins set off, slows whatever is timed beside it.
    async fn wait_for_rewrite(&self) -> anyhow::Result<()> {
        let until = Instant::now() + REWRITE_MAX;
        while self.info("persistence", "aof_rewrite_in_progress:").await? > 0.0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn reset(&self) -> anyhow::Result<()> {
        Ok(redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut self.redis.clone()).await?)
    }

    /// What scripts kept Redis busy for since the reset, in microseconds.
    async fn redis_us(&self) -> anyhow::Result<f64> {
        self.info("commandstats", "cmdstat_evalsha:").await
    }

    /// A number of INFO: the whole field, or its `usec=`.
    async fn info(&self, section: &str, field: &str) -> anyhow::Result<f64> {
        let text: String = redis::cmd("INFO").arg(section).query_async(&mut self.redis.clone()).await?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("INFO {field}"))?;
        let number = line.split(',').find_map(|part| part.strip_prefix("usec=")).unwrap_or(line);
        Ok(number.trim().parse()?)
    }
}

/// One block that somebody else slowed says nothing.
fn middle(mut blocks: Vec<f64>) -> f64 {
    blocks.sort_by(f64::total_cmp);
    blocks[blocks.len() / 2]
}

fn newcomer(n: u64) -> Newcomer {
    Newcomer { place: place(n), visitor_hash: [0; 32], receipt: None, account: None }
}

/// Well spread, as hashes are.
fn place(n: u64) -> Place {
    Place::from_bytes(u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
