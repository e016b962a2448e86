//! An evening from the accounts to the verdict.

mod accounts;
mod files;
mod pulse;
mod settle;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use rand::RngExt as _;
use tokio::{task::JoinSet, time::Instant};
use uuid::Uuid;

use crate::{
    arrivals::Arrivals,
    books::{Books, Database, Provider},
    clock::now_us,
    fan::{Crowd, Fan},
    http::{Client, Target},
    judge,
    plan::{self, Plan, Quantity},
    progress::Progress,
    record::{FanRecord, Record},
    report::{Machine, Report, Setting},
    stack::{Stack, Whereabouts},
};

/// Making the accounts takes no longer than this, and this for each fan on top.
const ACCOUNTS_LEAST: Duration = Duration::from_secs(60);
const ACCOUNT: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub drop: String,
    pub fans: u32,
    pub arrivals: Arrivals,
    pub leave: f64,
    pub quantity: Quantity,
    pub seed: u64,
    pub timeout: Duration,
    pub settle: Duration,
    pub accounts_at_once: usize,
}

/// Runs an evening, and judges it.
///
/// # Errors
/// Anything that keeps it from being run or judged; a bad verdict is no error.
pub(crate) async fn run(whereabouts: &Whereabouts, options: &Options) -> anyhow::Result<Report> {
    files::enough_for(options.fans)?;
    let moments = options.arrivals.moments(options.fans, options.seed)?;
    let plans = plan::draw(&moments, options.leave, &options.quantity, options.seed);
    let stack = whereabouts.find()?;
    let sale = Sale::look_up(&stack, &options.drop).await?;

    let began = Instant::now();
    let fans = with_accounts(&sale, plans, options).await?;
    let accounts_took = began.elapsed();

    let started_us = now_us();
    let began = Instant::now();
    let watching = sale.watch.keep();
    let fans = evening(sale.venue.crowd(began + options.timeout), fans, began).await?;
    let took = began.elapsed();

    let mut settled = settle::wait(whereabouts, &options.drop, options.settle).await?;
    let record = Record { fans, pulses: watching.finish().await? };
    let books = Books::read(&mut settled.database, &settled.provider, &options.drop).await?;
    let verdict = judge::judge(&record, &books);
    let setting = Setting {
        url: stack.url,
        drop: options.drop.clone(),
        events: books.event_names.clone(),
        rate_per_minute: books.drop.rate_per_minute,
        fans: options.fans,
        arrivals: options.arrivals.to_string(),
        leave: options.leave,
        quantity: options.quantity.to_string(),
        seed: options.seed,
        started_us,
        took_s: took.as_secs_f64(),
        accounts_took_s: accounts_took.as_secs_f64(),
        settled_after_s: settled.after.as_secs_f64(),
        machine: Machine::this(),
    };
    Ok(Report::of(setting, &record, &books, verdict))
}

/// What the fans come for, and who looks on.
struct Sale {
    venue: Venue,
    watch: pulse::Watch,
}

struct Venue {
    target: Arc<Target>,
    drop: String,
    events: Vec<Uuid>,
}

impl Sale {
    /// Opens both books before the evening, too: a run that cannot be judged is not worth its time.
    async fn look_up(stack: &Stack, drop: &str) -> anyhow::Result<Self> {
        let mut database = Database::connect(&stack.database_url).await?;
        Provider::new(&stack.provider_url, &stack.provider_key)?.intents().await?;
        ensure!(database.drop_row(drop).await?.is_some(), "there is no drop {drop:?} in the database");

        let target = Arc::new(Target::resolve(&stack.url).await?);
        let mut watch = pulse::Watch::new(Client::new(target.clone(), None), drop);
        let pulse = watch.look().await?;
        let events = if pulse.events.is_empty() { database.events(drop).await? } else { pulse.events };
        ensure!(!events.is_empty(), "the drop {drop:?} has no event to sell");
        Ok(Self { venue: Venue { target, drop: drop.to_owned(), events }, watch })
    }
}

impl Venue {
    fn crowd(&self, deadline: Instant) -> Arc<Crowd> {
        Arc::new(Crowd {
            target: self.target.clone(),
            drop: self.drop.clone(),
            events: self.events.clone(),
            run: format!("{:08x}", rand::rng().random::<u32>()),
            deadline,
            tallies: <_>::default(),
            layouts: <_>::default(),
        })
    }
}

/// Registers everybody.
async fn with_accounts(sale: &Sale, plans: Vec<Plan>, options: &Options) -> anyhow::Result<Vec<Fan>> {
    let patience = ACCOUNTS_LEAST + ACCOUNT * options.fans;
    let crowd = sale.venue.crowd(Instant::now() + patience);
    let plans_count = plans.len();
    let fans = plans.into_iter().map(|plan| Fan::new(crowd.clone(), plan)).collect();
    let progress = Progress::accounts(crowd, plans_count);
    let fans = accounts::make(fans, options.accounts_at_once).await;
    progress.finish().await;
    fans
}

/// Everybody comes, and everybody goes.
async fn evening(crowd: Arc<Crowd>, fans: Vec<Fan>, start: Instant) -> anyhow::Result<Vec<FanRecord>> {
    let progress = Progress::fans(crowd.clone(), fans.len());
    let mut living = JoinSet::new();
    for mut fan in fans {
        fan.enter(crowd.clone());
        living.spawn(fan.live(start));
    }
    let mut records = Vec::new();
    while let Some(fan) = living.join_next().await {
        records.push(fan.context("a simulated fan panicked")?);
    }
    records.sort_by_key(|fan| fan.number);
    progress.finish().await;
    Ok(records)
}
