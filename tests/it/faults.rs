//! What goes wrong on an evening, family by family: fifty purchases of each in `make test`, thousands in `make soak`.
//! Fans shop while the fault lasts, with the patience of a browser; after it everything must settle by itself, no seat
//! be sold twice, and the money at the provider be the tickets' to the cent.

mod crowd;
mod soak;

use serde_json::{Value, json};
use shared::encoding;
use shared::private_stack::{PostgresOptions, PrivatePostgres, PrivateRedis};

use crate::support;
use crate::support::process::until;
use crate::support::shop::Stores;
use crate::support::wire::{Mode, Wire};

use soak::Soak;

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_flushed_in_mid_sale() {
    let dir = support::folder();
    let redis = PrivateRedis::start(dir.path()).await.expect("a Redis of our own");
    let mut stores = Stores::own().await;
    stores.redis_url = redis.url();
    let soak = Soak::open("Redis flushed", stores, &[]).await;
    let client = redis::Client::open(redis.url()).expect("a URL");
    soak.run(async |_, progress| {
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        for part in [0.2, 0.4, 0.6] {
            progress.reached(part).await;
            redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("flushed");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_silent_and_then_gone() {
    let mut stores = Stores::own().await;
    let wire = Wire::to_redis(&stores.redis_url);
    stores.redis_url = wire.redis_url();
    Soak::open("Redis down", stores, &[])
        .await
        .run(async |_, progress| {
            progress.reached(0.1).await;
            wire.set(Mode::Stall);
            progress.reached(0.5).await;
            wire.set(Mode::Cut);
            progress.reached(0.9).await;
            wire.set(Mode::Pass);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted_without_a_shutdown() {
    let dir = support::folder();
    let options = PostgresOptions { fsync: true, max_connections: 100 };
    let postgres = PrivatePostgres::start_with(dir.path(), options).await.expect("a Postgres of our own");
    let wire = Wire::to_postgres(&postgres.url());
    let mut stores = Stores::own().await;
    stores.database_url = wire.postgres_url(&postgres.url());
    Soak::open("Postgres restarted", stores, &[])
        .await
        .run(async |_, progress| {
            let mut postgres = Some(postgres);
            for part in [0.2, 0.5] {
                progress.reached(part).await;
                // its processes are told to quit at once (SIGQUIT); it replays its log when it comes back
                drop(postgres.take());
                let again = PrivatePostgres::start_with(dir.path(), options).await.expect("it comes back");
                wire.lead_to_postgres(&again.url());
                postgres = Some(again);
            }
            progress.over().await;
            std::mem::forget(postgres); // for the judge; it ends with this process
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_commits_and_nobody_hears_of_it() {
    let mut stores = Stores::own().await;
    let wire = Wire::to_postgres(&stores.database_url);
    stores.database_url = wire.postgres_url(&stores.database_url);
    Soak::open("commit acknowledgement lost", stores, &[])
        .await
        .run(async |_, progress| {
            wire.set(Mode::LoseAcks { every: 11 });
            progress.over().await;
            wire.set(Mode::Pass);
        })
        .await;
    assert!(wire.lost() > 10, "{} acknowledgements were lost", wire.lost());
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_ten_times_at_once_and_in_any_order() {
    let rules = json!([
        { "call": "webhook", "effect": "duplicate", "count": 10, "every": 2 },
        { "call": "webhook", "effect": "reorder", "count": 6, "ms": 1_500 },
    ]);
    provider("webhooks tenfold, reordered", rules, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_when_the_booking_is_long_over() {
    let rules = json!({ "rules": [{ "call": "webhook", "effect": "delay", "ms": 600_000 }] });
    Soak::open("webhooks late", Stores::own().await, &["booking.hold_s=6", "booking.expiry_cap_s=4"])
        .await
        .run(async |shop, progress| {
            shop.provider_faults(Some(&rules)).await;
            progress.over().await;
            let audit = shop.audit();
            until("all bookings are over", async || {
                audit.unsettled().await.is_ok_and(|unsettled| unsettled.pending_bookings == 0)
            })
            .await;
            // all that was held back is sent now
            shop.provider_faults(None).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_never_come() {
    provider("webhooks never", json!([{ "call": "webhook", "effect": "drop" }]), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_fails() {
    let rules = json!([
        { "call": "any", "effect": "500", "every": 4 },
        { "call": "any", "effect": "500_after", "every": 4 },
    ]);
    provider("provider answers 500", rules, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_wants_fewer_calls() {
    provider("provider answers 429", json!([{ "call": "any", "effect": "429", "every": 2 }]), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_hangs_before_it_has_done_anything() {
    let rules = json!([
        { "call": "any", "effect": "timeout_before", "every": 9 },
        { "call": "any", "effect": "timeout_before", "every": 40, "ms": TOO_LONG_MS },
    ]);
    provider("provider times out before the effect", rules, &SLOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_hangs_when_it_has_done_it() {
    let rules = json!([
        { "call": "any", "effect": "timeout_after", "every": 9 },
        { "call": "any", "effect": "timeout_after", "every": 40, "ms": TOO_LONG_MS },
    ]);
    provider("provider times out after the effect", rules, &SLOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_pays_in_two_tabs() {
    let soak = Soak::open("two tabs", Stores::own().await, &[]).await.in_two_tabs();
    soak.run(async |_, progress| progress.over().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_killed_at_random() {
    Soak::open("processes killed", Stores::own().await, &["booking.hold_s=30"])
        .await
        .run(async |shop, progress| {
            let parts = shop.parts();
            for kill in 1..=KILLS {
                let due = f64::from(kill) / f64::from(KILLS + 1);
                progress.reached(due).await;
                let [random] = encoding::random::<1>();
                let part = parts[usize::from(random) % parts.len()];
                shop.kill(part).await;
                shop.start(part).await;
            }
            progress.over().await;
        })
        .await;
}

/// Processes killed in one sale.
const KILLS: u32 = 8;

/// Where a call may take thirty seconds, fans have more time.
const SLOW: [&str; 3] = ["booking.hold_s=40", "booking.expiry_cap_s=30", "booking.outbox_lease_s=60"];
/// Longer than booking waits for one answer of the provider.
const TOO_LONG_MS: u64 = 12_000;

/// The sandbox is told to misbehave until the last fan has gone.
async fn provider(family: &'static str, rules: Value, settings: &[&str]) {
    Soak::open(family, Stores::own().await, settings)
        .await
        .run(async |shop, progress| {
            shop.provider_faults(Some(&json!({ "rules": rules }))).await;
            progress.over().await;
            let fired = shop.provider_faults(None).await;
            println!("{family}: {fired}");
        })
        .await;
}
