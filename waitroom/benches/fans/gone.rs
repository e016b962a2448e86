//! What fans who go silently cost those who stay: positions and slots, with nobody, 30 % and 60 % of the
//! crowd gone after the join. Each evening: all join while the drop is paused, the gone hang up, the others
//! listen; the drop resumes, and whoever is called claims after about a second.
//!
//! *Positions*: the truth is the order in Redis before the first call, less those called since; Redis's own record
//! of the calls says how many that were at every moment. Frames of one tick come from one look, so those of the
//! first hundred must all agree with one count of calls, which Redis had between two steps of the release when
//! the look was taken (or with a later one, where a fan looked since: what is shown never rises), and the others
//! lie within 1 % of it.
//!
//! *Slots*: claims granted ÷ rate × time, from the first grant until the last fan who stayed is called: all that
//! while somebody present waits. The second before the first claim can come is told beside it.
//!
//! FANS= (6000), RATE= a minute (6000).

use std::{
    collections::{BTreeMap, HashMap},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{
    drops::{self, Settings},
    ids::DropId,
};
use anyhow::{Context as _, ensure};
use redis::AsyncCommands as _;
use serde_json::Value;
use shared::{clock::Clock, testing::Figures};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use crate::{
    size,
    stage::{Fan, OPERATOR, Stage, spread},
    wire::{Event, Wire},
};

const CLAIM_WINDOW_S: i32 = 5;
/// Fans react after this long on average, and at the latest.
const REACTION_MEAN_S: f64 = 1.0;
const REACTION_MAX_S: f64 = 4.0;
/// Time between two looks of ours at what was called and granted.
const SAMPLE: Duration = Duration::from_millis(20);
/// How old what a frame tells may be, in milliseconds: a tick a second, and its way.
const LAG_MS: i64 = 1_500;
/// Joins under way at a time.
const AT_A_TIME: usize = 256;
/// The longest an evening may take.
const EVENING_MAX: Duration = Duration::from_secs(90);
/// The first positions are exact.
const EXACT: u64 = 100;

pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let (fans, rate) = (size("FANS", 6_000), size("RATE", 6_000));
    let stage = Arc::new(Stage::set(60).await?);
    let mut figures = Figures::new("gone");
    let mut baseline = f64::NAN;
    for percent in [0_u32, 30, 60] {
        let evening = evening(&stage, fans, rate, percent).await?;
        let with = |what: &str| format!("{what}, {percent} % gone");
        if percent == 0 {
            baseline = evening.slots.used;
            figures.is(with("slots used"), evening.slots.used, "");
        } else {
            figures.at_least(0.99, with("slots used"), evening.slots.used, "");
            figures.is(with("slots used ÷ nobody gone"), evening.slots.used / baseline, "");
        }
        figures.is(with("  with the first seconds"), evening.slots.from_the_opening, "");
        figures.is(with("  first grant after"), evening.slots.first_grant_s, "s");
        figures.at_least(1.0, with("  admitted of those who stayed"), evening.admitted, "");
        figures.at_most(0.0, with("wrong positions in the first 100"), evening.positions.wrong_front as f64, "");
        figures.at_most(0.01, with("furthest off behind them"), evening.positions.furthest_off, "");
        figures.at_most(0.0, with("positions that rose"), evening.rises as f64, "");
        figures.at_most(0.0, with("ticks older or newer than they may be"), evening.positions.out_of_time as f64, "");
        figures.is(with("positions heard"), evening.heard as f64, "");
    }
    Ok(figures.publish()?)
}

/// What an evening came to.
struct Outcome {
    slots: Slots,
    /// The share of those who stayed.
    admitted: f64,
    positions: Positions,
    rises: usize,
    heard: usize,
}

/// A position as a fan heard it.
struct Heard {
    /// In milliseconds of the clock, which is Redis's, too.
    at_ms: i64,
    tick: u64,
    position: u64,
}

/// A fan's evening.
#[derive(Default)]
struct Life {
    place: String,
    heard: Vec<Heard>,
    rises: usize,
    admitted: bool,
}

/// What Redis had at a moment.
#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    called: u64,
    granted: u64,
}

async fn evening(stage: &Arc<Stage>, fans: usize, rate: usize, percent: u32) -> anyhow::Result<Outcome> {
    let settings = Settings { claim_window_s: CLAIM_WINDOW_S, grace_s: 60, ..Settings::at_rate(i32::try_from(rate)?) };
    let drop = stage.opened(&format!("gone-{percent}"), settings).await?;
    drops::pause(&stage.world.pool, &stage.line, &drop, "The doors open in a moment.", OPERATOR).await?;
    let (crowd, gone) = crowd(stage, &drop, fans, percent).await?;
    std::mem::drop(gone); // they hang up, and are not heard of again
    let order: Vec<String> = stage.world.redis.clone().zrange(stage.key(&drop, "waiting"), 0, -1).await?;
    ensure!(order.len() == fans, "{} places for {fans} fans", order.len());
    let rank: HashMap<String, usize> = order.into_iter().zip(0..).collect();
    let last_present = crowd.iter().filter_map(|(fan, _)| rank.get(&fan.place)).max().copied().context("a crowd")?;

    let (stop, stopped) = oneshot::channel();
    let sampler = tokio::spawn(sample(stage.clone(), drop.clone(), stopped));
    let (stayed, mut lives) = (crowd.len(), JoinSet::new());
    let until = Instant::now() + EVENING_MAX;
    for (fan, wire) in crowd {
        lives.spawn(async move {
            let mut life = Life { place: fan.place.clone(), ..Life::default() };
            // whoever is not in by then is counted as not admitted
            let _late = tokio::time::timeout_at(until.into(), live(fan, wire, &mut life)).await;
            life
        });
    }
    let opened = Instant::now();
    drops::resume(&stage.world.pool, &stage.line, &drop, OPERATOR).await?;
    let lives = lives.join_all().await;
    let _ended = stop.send(());
    let samples = sampler.await??;
    eprintln!("{percent} % gone: {:.0} s", opened.elapsed().as_secs_f64());

    let slots = slots(&samples, opened, rate, last_present as u64)?;
    let positions = positions(&lives, &rank, &Calls::read(stage, &drop, &rank).await?);
    Ok(Outcome {
        slots,
        admitted: lives.iter().filter(|life| life.admitted).count() as f64 / stayed as f64,
        positions,
        rises: lives.iter().map(|life| life.rises).sum(),
        heard: lives.iter().map(|life| life.heard.len()).sum(),
    })
}

/// All who come: those who stay with their connections, and those who will hang up.
async fn crowd(
    stage: &Arc<Stage>,
    drop: &DropId,
    fans: usize,
    percent: u32,
) -> anyhow::Result<(Vec<(Fan, Wire)>, Vec<(Fan, Wire)>)> {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut joins = JoinSet::new();
    for n in 0..fans {
        let (room, drop, to) = (room.clone(), drop.clone(), stage.address);
        joins.spawn(async move {
            let _slot = room.acquire().await?;
            let fan = Fan::join(n, to, &drop).await?;
            anyhow::Ok((spread(n, 0.754_877_666) < f64::from(percent) / 100.0, fan))
        });
    }
    let (mut stay, mut gone) = (Vec::new(), Vec::new());
    while let Some(joined) = joins.join_next().await {
        let (goes, fan) = joined??;
        if goes { gone.push(fan) } else { stay.push(fan) }
    }
    Ok((stay, gone))
}

/// Listens, claims when called, and is done when admitted. A stream that ends is opened again.
async fn live(mut fan: Fan, wire: Wire, life: &mut Life) -> anyhow::Result<()> {
    let clock = Clock::system();
    let mut listening = Some(fan.listen(wire).await?);
    let (mut shown, mut claimed) = (u64::MAX, false);
    loop {
        let Some(events) = &mut listening else {
            listening = Some(fan.listen(fan.wire().await?).await?);
            continue;
        };
        let Ok(event) = events.next().await else {
            listening = None;
            continue;
        };
        let document: Value = serde_json::from_str(&event.data)?;
        fan.keep(&document);
        if let Some(position) = document["position"].as_u64() {
            life.rises += usize::from(position > shown);
            shown = position;
            if let Some(tick) = tick(&event) {
                life.heard.push(Heard { at_ms: clock.now().as_millisecond(), tick, position });
            }
        }
        let state = document["state"].as_str().unwrap_or_default();
        life.admitted = state == "admitted";
        if !claimed && (state == "called" || state == "lapsed") {
            claimed = true;
            tokio::time::sleep(reaction(shown)).await;
            let mut wire = fan.wire().await?;
            let (status, document) = fan.call(&mut wire, "POST", "claim").await?;
            ensure!(status == 200 || status == 202, "a claim answered {status}: {document}");
            life.admitted = document["state"] == "admitted";
        }
        if life.admitted {
            return Ok(());
        }
    }
}

/// The tick a position was looked up in; none for a whole document, which had a look of its own.
fn tick(event: &Event) -> Option<u64> {
    (event.kind == "position").then(|| event.id.split('.').nth(1)?.parse().ok()).flatten()
}

/// Exponentially spread, the same in every run.
fn reaction(number: u64) -> Duration {
    let share = spread(number as usize, 0.569_840_290);
    Duration::from_secs_f64((-(1.0 - share).ln() * REACTION_MEAN_S).min(REACTION_MAX_S))
}

async fn sample(stage: Arc<Stage>, drop: DropId, mut stop: oneshot::Receiver<()>) -> anyhow::Result<Vec<Sample>> {
    let (mut redis, key) = (stage.world.redis.clone(), stage.key(&drop, "control"));
    let mut looks = tokio::time::interval(SAMPLE);
    let mut samples = Vec::new();
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = &mut stop => return Ok(samples),
        }
        let (called, granted): (Option<u64>, Option<u64>) =
            redis.hmget(&key, &["called_total", "granted_total"]).await?;
        let (called, granted) = (called.unwrap_or(0), granted.unwrap_or(0));
        samples.push(Sample { at: Instant::now(), called, granted });
    }
}

struct Slots {
    used: f64,
    from_the_opening: f64,
    first_grant_s: f64,
}

fn slots(samples: &[Sample], opened: Instant, rate: usize, last_present: u64) -> anyhow::Result<Slots> {
    let first = samples.iter().position(|sample| sample.granted > 0).context("nobody was granted")?;
    let last =
        samples.iter().find(|sample| sample.called > last_present).context("the line did not come to its end")?;
    let first = samples[first];
    let allowed = |since: Instant| rate as f64 / 60.0 * last.at.duration_since(since).as_secs_f64();
    Ok(Slots {
        used: (last.granted - first.granted) as f64 / allowed(first.at),
        from_the_opening: last.granted as f64 / allowed(opened),
        first_grant_s: first.at.duration_since(opened).as_secs_f64(),
    })
}

/// How many had been called, from when on: after each step of the release, as Redis noted it.
struct Calls(Vec<(i64, u64)>);

impl Calls {
    /// From the list of changes, which says of each call when it was on Redis's clock.
    async fn read(stage: &Stage, drop: &DropId, rank: &HashMap<String, usize>) -> anyhow::Result<Self> {
        let key = stage.key(drop, "changes");
        let changes: Vec<(String, HashMap<String, String>)> =
            redis::cmd("XRANGE").arg(key).arg("-").arg("+").query_async(&mut stage.world.redis.clone()).await?;
        let called = changes.iter().filter(|(_, change)| change.get("k").is_some_and(|kind| kind == "called"));
        let mut calls = Self(vec![(0, 0)]);
        for (count, (id, change)) in (1_u64..).zip(called) {
            let place = &change["p"];
            ensure!(rank.get(place).map(|&rank| rank as u64 + 1) == Some(count), "{place} was called out of turn");
            let at_ms = id.split('-').next().context("the time of a change")?.parse()?;
            match calls.0.last_mut() {
                // of one step
                Some((last_ms, last)) if *last_ms == at_ms => *last = count,
                _ => calls.0.push((at_ms, count)),
            }
        }
        Ok(calls)
    }

    /// Whether it was `count` at some moment from `from_ms` to `to_ms`.
    fn were(&self, count: u64, from_ms: i64, to_ms: i64) -> bool {
        let next_ms = self.0.iter().skip(1).map(|(at_ms, _)| *at_ms).chain([i64::MAX]);
        self.0
            .iter()
            .zip(next_ms)
            .any(|(&(at_ms, had), until_ms)| had == count && at_ms <= to_ms && until_ms >= from_ms)
    }
}

#[derive(Default)]
struct Positions {
    wrong_front: usize,
    furthest_off: f64,
    out_of_time: usize,
}

fn positions(lives: &[Life], rank: &HashMap<String, usize>, calls: &Calls) -> Positions {
    let mut ticks: BTreeMap<u64, Vec<(u64, &Heard)>> = BTreeMap::new();
    for life in lives {
        for heard in &life.heard {
            ticks.entry(heard.tick).or_default().push((rank[&life.place] as u64, heard));
        }
    }
    let mut found = Positions::default();
    for frames in ticks.values() {
        // how many had been called, by what each of the first hundred was shown
        let mut implied: BTreeMap<u64, usize> = BTreeMap::new();
        for (rank, heard) in frames.iter().filter(|(_, heard)| heard.position <= EXACT) {
            *implied.entry((rank + 1).saturating_sub(heard.position)).or_default() += 1;
        }
        let Some((&called, _)) = implied.iter().max_by_key(|(_, times)| **times) else { continue };
        // whoever had a look of their own since stays at what that showed: lower, and true by then
        let wrong = |(rank, heard): &&(u64, &Heard)| {
            let implied = (rank + 1).saturating_sub(heard.position);
            let was_true = implied == called || calls.were(implied, heard.at_ms - LAG_MS, heard.at_ms);
            heard.position <= EXACT && (implied < called || !was_true)
        };
        found.wrong_front += frames.iter().filter(wrong).count();
        let first_ms = frames.iter().map(|(_, heard)| heard.at_ms).min().unwrap_or(i64::MAX);
        found.out_of_time += usize::from(!calls.were(called, first_ms - LAG_MS, first_ms));
        for (rank, heard) in frames.iter().filter(|(_, heard)| heard.position > EXACT) {
            let truth = (rank + 1).saturating_sub(called).max(1);
            let off = heard.position.abs_diff(truth) as f64 / truth as f64;
            found.furthest_off = found.furthest_off.max(off);
        }
    }
    found
}
