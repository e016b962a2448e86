//! Redis loses everything in mid-queue. Fans queue, some are admitted, some have left; then FLUSHALL. Half of the
//! fans listen on their streams, half ask for their status as often as they are told to; newcomers come
//! meanwhile. Held against: when the last place was back, in which order, and who was admitted twice.
//!
//! The truth is what one transaction reads right before the FLUSHALL in it.
//!
//! FANS= (2000), RATE= a minute (1200).

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{drops::Settings, ids::DropId};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use shared::{encoding::from_base64url, testing::Figures};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    size,
    stage::{Fan, Stage},
    wire::Wire,
};

/// What a returning fan may take, and how long nobody is called: the default of `regather_s`.
const REGATHER_S: u64 = 60;
/// How long the drop runs before the loss, and after the fans have gathered again.
const BEFORE: Duration = Duration::from_secs(8);
const AFTER: Duration = Duration::from_secs(10);
/// Fans who leave before the loss, and who come new after it.
const LEAVING: usize = 40;
const NEWCOMERS: usize = 100;
/// Joins under way at a time.
const AT_A_TIME: usize = 256;
/// Time between two looks of ours at who is back.
const LOOK: Duration = Duration::from_millis(250);
/// A fan who is told that the line is being restored joins again, no sooner than this.
const JOIN_AGAIN: Duration = Duration::from_secs(5);
/// A fan whose call or stream broke tries again after up to this long.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Everything a place can stand in, in the order of [`Line`]'s fields.
const STANDS: [&str; 4] = ["waiting", "called", "claims", "active"];

pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let (fans, rate) = (size("FANS", 2_000), size("RATE", 1_200));
    let stage = Arc::new(Stage::set(REGATHER_S).await?);
    let settings = Settings { claim_window_s: 30, ..Settings::at_rate(i32::try_from(rate)?) };
    let drop = stage.opened("flush", settings).await?;
    let mut crowd = join(&stage, &drop, 0..fans).await?;

    let evening = CancellationToken::new();
    let mut lives = JoinSet::new();
    let leaving = crowd.split_off(fans - LEAVING);
    for (fan, wire) in crowd {
        lives.spawn(live(fan, wire, evening.clone()));
    }
    let mut left = Vec::new();
    for (mut fan, mut wire) in leaving {
        let (status, _) = fan.call(&mut wire, "POST", "leave").await?;
        ensure!(status == 204, "leaving answered {status}");
        left.push(fan);
    }
    sleep(BEFORE).await;
    let before = lose_everything(&stage, &drop).await?;
    let lost_at = Instant::now();
    eprintln!("lost: {} waiting, {} admitted", before.stand[0].len(), before.stand[3].len());
    let newcomers = newcomers_and_leavers(&stage, &drop, fans, left);

    let back = wait_until_back(&stage, &drop, &before, lost_at).await?;
    let newcomers = newcomers.await?;
    sleep((Duration::from_secs(REGATHER_S) + AFTER).saturating_sub(lost_at.elapsed())).await;
    evening.cancel();
    let mut heard = Vec::new();
    while let Some(life) = lives.join_next().await {
        heard.push(life??);
    }
    let after = Line::read(&stage, &drop).await?;
    Ok(figures(&before, &back, &after, &heard, &newcomers).publish()?)
}

/// The places of a line: what it was made of at one moment.
struct Line {
    /// As [`STANDS`]; each place with its score, in order.
    stand: [Vec<(String, u64)>; 4],
    called_total: u64,
}

/// What a fan was told all evening.
struct Life {
    place: String,
    order_key: Option<u64>,
    /// Distinct admissions: `jti` and session deadline of the tokens.
    admissions: HashSet<(String, i64)>,
    /// Whether the fan was ever told another place.
    moved: bool,
}

/// When everybody was back, and the line as it was then.
struct Back {
    after: Option<Duration>,
    line: Line,
}

/// What came of those who had nothing to return to.
struct Others {
    newcomers: Vec<String>,
    /// Who had left, and now has a place again.
    revived: usize,
}

async fn join(stage: &Stage, drop: &DropId, numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<(Fan, Wire)>> {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut joins = JoinSet::new();
    for n in numbers {
        let (room, drop, to) = (room.clone(), drop.clone(), stage.address);
        joins.spawn(async move {
            let _slot = room.acquire().await?;
            anyhow::Ok((n, Fan::join(n, to, &drop).await?))
        });
    }
    let mut fans = Vec::new();
    while let Some(joined) = joins.join_next().await {
        fans.push(joined??);
    }
    fans.sort_by_key(|(n, _)| *n);
    Ok(fans.into_iter().map(|(_, fan)| fan).collect())
}

/// A fan who stays through it all: every second one with a stream, the others by asking.
async fn live(mut fan: Fan, wire: Wire, evening: CancellationToken) -> anyhow::Result<Life> {
    let place = fan.place.clone();
    let mut life = Life { place, order_key: None, admissions: HashSet::new(), moved: false };
    let ended = evening.cancelled();
    tokio::select! {
        () = ended => {}
        outcome = queue(&mut fan, wire, &mut life) => outcome?,
    }
    Ok(life)
}

async fn queue(fan: &mut Fan, wire: Wire, life: &mut Life) -> anyhow::Result<()> {
    let listens = fan.number().is_multiple_of(2);
    let (mut stream, mut talk) = if listens { (Some(fan.listen(wire).await?), None) } else { (None, Some(wire)) };
    let mut joined = Instant::now();
    loop {
        let document = if listens {
            match &mut stream {
                Some(events) => match events.next().await {
                    Ok(event) if event.kind == "bye" => {
                        stream = None;
                        continue;
                    }
                    Ok(event) => serde_json::from_str(&event.data)?,
                    Err(_) => {
                        stream = None;
                        continue;
                    }
                },
                None => {
                    sleep(fan.jitter(RETRY_MAX)).await;
                    stream = match fan.wire().await {
                        Ok(wire) => fan.listen(wire).await.ok(),
                        Err(_) => None,
                    };
                    continue;
                }
            }
        } else {
            match ask(fan, &mut talk, "GET", "status").await {
                Some(document) => document,
                None => {
                    sleep(fan.jitter(RETRY_MAX)).await;
                    continue;
                }
            }
        };
        let mut document = document;
        let state = |document: &Value| document["state"].as_str().unwrap_or_default().to_owned();
        if state(&document) == "restoring" && joined.elapsed() >= JOIN_AGAIN {
            joined = Instant::now();
            sleep(fan.jitter(RETRY_MAX)).await;
            document = ask(fan, &mut talk, "POST", "join").await.unwrap_or(document);
        }
        if state(&document) == "called" {
            document = ask(fan, &mut talk, "POST", "claim").await.unwrap_or(document);
        }
        fan.keep(&document);
        life.note(fan, &document);
        if !listens {
            let seconds = document["poll_after_s"].as_u64().unwrap_or(5);
            sleep(Duration::from_secs(seconds.min(5)) + fan.jitter(RETRY_MAX)).await;
        }
    }
}

/// A call whose answer may be an outage: then nothing.
async fn ask(fan: &mut Fan, talk: &mut Option<Wire>, method: &str, call: &str) -> Option<Value> {
    let mut wire = match talk.take() {
        Some(wire) => wire,
        None => fan.wire().await.ok()?,
    };
    let (status, document) = fan.call(&mut wire, method, call).await.ok()?;
    *talk = Some(wire);
    (status < 300).then_some(document)
}

impl Life {
    fn note(&mut self, fan: &Fan, document: &Value) {
        self.moved |= fan.place != self.place;
        if let Some(key) = document["order_key"].as_u64() {
            self.order_key.get_or_insert(key);
        }
        if let Some(token) = document["admission"]["token"].as_str()
            && let Some(admission) = admission(token)
        {
            self.admissions.insert(admission);
        }
    }
}

/// `jti` and `exp` of a token; its signature is others' business.
fn admission(token: &str) -> Option<(String, i64)> {
    let claims: Value = serde_json::from_slice(&from_base64url(token.split('.').nth(1)?)?).ok()?;
    Some((claims["jti"].as_str()?.to_owned(), claims["exp"].as_i64()?))
}

impl Line {
    async fn read(stage: &Stage, drop: &DropId) -> anyhow::Result<Self> {
        let mut pipeline = redis::pipe();
        Self::ask(pipeline.atomic(), stage, drop);
        Ok(Self::of(pipeline.query_async(&mut stage.world.redis.clone()).await?))
    }

    fn ask(pipeline: &mut redis::Pipeline, stage: &Stage, drop: &DropId) {
        for name in STANDS {
            pipeline.cmd("ZRANGE").arg(stage.key(drop, name)).arg(0).arg(-1).arg("WITHSCORES");
        }
        pipeline.cmd("HGET").arg(stage.key(drop, "control")).arg("called_total");
    }

    fn of((waiting, called, claims, active, called_total): Answer) -> Self {
        Self { stand: [waiting, called, claims, active], called_total: called_total.unwrap_or(0) }
    }

    fn places(&self) -> impl Iterator<Item = &str> {
        self.stand.iter().flatten().map(|(place, _)| place.as_str())
    }
}

type Members = Vec<(String, u64)>;
type Answer = (Members, Members, Members, Members, Option<u64>);

async fn lose_everything(stage: &Stage, drop: &DropId) -> anyhow::Result<Line> {
    let mut pipeline = redis::pipe();
    Line::ask(pipeline.atomic(), stage, drop);
    pipeline.cmd("FLUSHALL").ignore();
    let line = Line::of(pipeline.query_async(&mut stage.world.redis.clone()).await?);
    ensure!(!line.stand[0].is_empty() && !line.stand[3].is_empty(), "nobody waited, or nobody was in: nothing to lose");
    Ok(line)
}

/// While the others come back: new fans join, and those who had left try to.
fn newcomers_and_leavers(
    stage: &Arc<Stage>,
    drop: &DropId,
    from: usize,
    left: Vec<Fan>,
) -> impl Future<Output = anyhow::Result<Others>> + use<> {
    let (stage, drop) = (stage.clone(), drop.clone());
    let task = tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await; // the line is there again
        let newcomers = join(&stage, &drop, from..from + NEWCOMERS).await?;
        let mut revived = 0;
        for mut fan in left {
            // by a new connection: the old one was idle for longer than the server keeps one
            let document =
                ask(&mut fan, &mut None, "POST", "join").await.context("a fan who had left got no answer")?;
            revived += usize::from(document["state"] != "left");
        }
        anyhow::Ok(Others { newcomers: newcomers.into_iter().map(|(fan, _)| fan.place).collect(), revived })
    });
    async move { task.await? }
}

async fn wait_until_back(stage: &Stage, drop: &DropId, before: &Line, lost_at: Instant) -> anyhow::Result<Back> {
    let expected: HashSet<&str> = before.places().collect();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let line = Line::read(stage, drop).await?;
        let there: HashSet<&str> = line.places().collect();
        let missing = expected.difference(&there).count();
        if missing == 0 {
            return Ok(Back { after: Some(lost_at.elapsed()), line });
        }
        if lost_at.elapsed() > Duration::from_secs(REGATHER_S) {
            eprintln!("{missing} places are not back");
            return Ok(Back { after: None, line });
        }
    }
}

fn figures(before: &Line, back: &Back, after: &Line, lives: &[Life], others: &Others) -> Figures {
    let seconds = back.after.map_or(f64::INFINITY, |time| time.as_secs_f64());
    let old: HashMap<&str, u64> =
        lives.iter().filter_map(|life| Some((life.place.as_str(), life.order_key?))).collect();
    let newcomers: HashSet<&str> = others.newcomers.iter().map(String::as_str).collect();
    let inversions = [&back.line, after].map(|line| inversions(line, &old, &newcomers)).into_iter().sum::<usize>();
    let was_in: HashSet<&str> = before.stand[3].iter().map(|(place, _)| place.as_str()).collect();
    let distinct = |life: &Life| life.admissions.iter().map(|(jti, _)| jti).collect::<HashSet<_>>().len();

    let mut figures = Figures::new("flush");
    figures.is("fans in line or inside at the loss", before.places().count() as f64, "");
    figures.is("  of them admitted", was_in.len() as f64, "");
    figures.at_most(REGATHER_S as f64, "until all were back", seconds, "s");
    figures.is("  ÷ regather_s", seconds / REGATHER_S as f64, "");
    figures.at_most(0.0, "inversions", inversions as f64, "");
    figures.at_most(0.0, "keys that changed", changed(&back.line, &old) as f64, "");
    figures.at_most(0.0, "double admissions", lives.iter().filter(|life| distinct(life) > 1).count() as f64, "");
    figures.at_most(0.0, "places in two stands at once", doubled(&back.line) + doubled(after), "");
    let renewed = lives.iter().filter(|life| was_in.contains(life.place.as_str()) && life.admissions.len() > 1);
    figures.is("admissions with a new session deadline", renewed.count() as f64, "");
    figures.at_most(0.0, "fans whose place changed", lives.iter().filter(|life| life.moved).count() as f64, "");
    figures.at_most(0.0, "ended places that came back", others.revived as f64, "");
    // the total is kept over the loss, as it stood within the last second
    let gathered = back.line.called_total.saturating_sub(before.called_total);
    figures.at_most(0.0, "called while they gathered", gathered as f64, "");
    figures.at_least(1.0, "called after it", after.called_total.saturating_sub(back.line.called_total) as f64, "");
    figures
}

/// Neighbours in line who stood the other way round before, and newcomers before somebody who was there.
fn inversions(line: &Line, old: &HashMap<&str, u64>, newcomers: &HashSet<&str>) -> usize {
    let keys: Vec<u64> =
        line.stand[0]
            .iter()
            .map(|(place, _)| {
                if newcomers.contains(place.as_str()) {
                    u64::MAX
                } else {
                    old.get(place.as_str()).copied().unwrap_or(0)
                }
            })
            .collect();
    keys.windows(2).filter(|pair| pair[0] > pair[1]).count()
}

fn changed(line: &Line, old: &HashMap<&str, u64>) -> usize {
    line.stand[0].iter().filter(|(place, key)| old.get(place.as_str()).is_some_and(|before| before != key)).count()
}

fn doubled(line: &Line) -> f64 {
    let mut seen = HashSet::new();
    line.places().filter(|place| !seen.insert(*place)).count() as f64
}
