//! How long a draw of a million takes, from the closing of its list to the last place in the line, against the
//! bare pipelined ZADD of the same members on the same Redis.
//!
//! `scripts/with-servers.sh cargo bench -p admission --bench draw [-- ENTRANTS]`

use std::time::{Duration, Instant};

use admission::{
    draw::{Drawer, Outcome, Proof, Relays, Settings, Stage, drawn_key, verify},
    drops::{self, NewDrop},
    ids::{DropId, Place},
    line::{Line, Newcomer, Order, Phase},
};
use anyhow::Context as _;
use jiff::SignedDuration;
use shared::{clock::Clock, encoding::sha256, testing::world};
use uuid::Uuid;

/// Members of one ZADD, and of one draw.
const BATCH: usize = 1_000;
/// ZADDs of one pipeline.
const PIPELINE: usize = 16;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let entrants: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let id = DropId::parse("evening").expect("a slug");
    let (venue, event) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, 'a hall')").bind(venue).execute(&world.pool).await?;
    sqlx::query(
        "INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, 'An evening', current_date + 100, $2)",
    )
    .bind(event)
    .bind(venue)
    .execute(&world.pool)
    .await?;
    let opens_at = Clock::system().now() + SignedDuration::from_hours(1);
    let settings = drops::Settings { opens_at: Some(opens_at), ..drops::Settings::at_rate(60) };
    let new = NewDrop { id: id.clone(), events: vec![event], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await?;

    let places: Vec<Place> = (0..entrants).map(place).collect();
    for some in places.chunks(250) {
        let who: Vec<_> = some
            .iter()
            .map(|place| Newcomer { place: *place, visitor_hash: [0; 32], receipt: None, account: None })
            .collect();
        line.join(&id, &who).await?;
    }

    let bare = zadd(&world, &places).await?;

    let opened = Clock::system().now().as_microsecond().to_string();
    let order = Order { version: 1_000, phase: Phase::Going, settings: vec![("opens_at", opened)] };
    line.apply(&id, &order).await?;
    let mut drawer = Drawer::new(world.pool.clone(), Relays::new(&Settings::default())?);
    let began = Instant::now();
    let mut frozen = Duration::ZERO;
    while drawer.step(&line, &drop).await? {
        if frozen.is_zero() && shown(&line, &id).await?.is_some_and(|proof| proof.seed.is_some()) {
            frozen = began.elapsed();
        }
    }
    let drawn = began.elapsed();
    let proof = shown(&line, &id).await?.context("nothing is shown of the draw")?;
    anyhow::ensure!(proof.state == Stage::Drawn && proof.drawn == entrants, "not drawn: {:?}", proof.state);
    let list = line.list(&id).await?;
    let began = Instant::now();
    let verdict = verify(&proof, Some(&list), &Settings::default().chain);
    let verified = began.elapsed();
    anyhow::ensure!(verdict.checks.iter().all(|check| check.outcome != Outcome::Bad), "{:?}", verdict.checks);

    println!("entrants                        {entrants}");
    println!("list frozen and shown, seed     {:.2} s", frozen.as_secs_f64());
    println!("all places in the line          {:.2} s from the closing", drawn.as_secs_f64());
    println!("bare ZADD of the same, pipelined {:.2} s", bare.as_secs_f64());
    println!("ratio                           {:.2} times the bare ZADD", drawn.as_secs_f64() / bare.as_secs_f64());
    println!("checked by `onsale draw verify` {:.2} s", verified.as_secs_f64());
    Ok(())
}

fn place(n: u64) -> Place {
    let mut half = [0; 16];
    half.copy_from_slice(&sha256(&[&n.to_be_bytes()])[..16]);
    Place::from_bytes(half)
}

/// What is public of the draw; `None` before its first step.
async fn shown(line: &Line, id: &DropId) -> anyhow::Result<Option<Proof>> {
    let text = line.watch(id, None, true).await?.1.face.draw;
    Ok((!text.is_empty()).then(|| serde_json::from_str(&text)).transpose()?)
}

async fn zadd(world: &shared::testing::World, places: &[Place]) -> anyhow::Result<Duration> {
    let mut redis = world.redis.clone();
    let key = format!("{}:bare", world.redis.prefix());
    let began = Instant::now();
    for some in places.chunks(BATCH * PIPELINE) {
        let mut pipeline = redis::pipe();
        for batch in some.chunks(BATCH) {
            let members: Vec<_> =
                batch.iter().map(|place| (drawn_key(1 << 52, &[7; 32], *place).0 as f64, place.to_string())).collect();
            pipeline.zadd_multiple(&key, &members).ignore();
        }
        pipeline.query_async::<()>(&mut redis).await?;
    }
    let took = began.elapsed();
    redis::cmd("UNLINK").arg(&key).query_async::<()>(&mut redis).await?;
    Ok(took)
}
