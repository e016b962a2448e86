//! `streams`: one message to all, on one process, beside a peer with the same client and message.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    Ops, address,
    clients::Clients,
    orders::{FANS_MAX, Setting},
    quantile,
    usage::Process,
};
use crate::{
    bench::verdict::{Bound, Figure, Verdict},
    clock::now_us,
};

/// Bytes of the frame that all are told, with its blank line.
const FRAME: u64 = 120;
/// Fans on their way to an open stream at a time.
const AT_ONCE: u32 = 64;
/// For what opening the streams left to settle, before memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the idle process is watched.
const IDLE: Duration = Duration::from_secs(6);
/// Between two broadcasts.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked of both.
#[derive(Debug, Args)]
struct Common {
    /// The server's process
    #[arg(long)]
    pid: u32,
    /// Where it listens: http://ADDRESS:PORT
    #[arg(long)]
    url: String,
    /// Streams, all in one client process
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(FANS_MAX)))]
    fans: u32,
    /// Broadcasts measured
    #[arg(long, default_value_t = 12)]
    rounds: u32,
    /// Where the figures go, as JSON
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::bench) struct Ours {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ops: Ops,
    /// The process where the fans join, so that the measured one has streams alone: http://ADDRESS:PORT
    #[arg(long)]
    join: String,
}

#[derive(Debug, Args)]
pub(in crate::bench) struct Peer {
    #[command(flatten)]
    common: Common,
    /// What it is called
    #[arg(long)]
    name: String,
    /// The path of its streams
    #[arg(long)]
    subscribe: String,
    /// The path that takes messages
    #[arg(long)]
    publish: String,
    /// Our figures: its frames are made as long
    #[arg(long)]
    like: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::bench) struct Compare {
    ours: PathBuf,
    peer: PathBuf,
    /// Where streams.json goes
    #[arg(long)]
    out: PathBuf,
}

/// What was measured of one server.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    server: String,
    fans: u32,
    rounds: u32,
    /// A stream, in KiB: open and quiet, and after all the broadcasts.
    memory_kib: f64,
    memory_after_kib: f64,
    /// A delivery, in µs.
    cpu_us: f64,
    /// The same without what the process does in that time with nothing to tell, such as heartbeats.
    cpu_net_us: f64,
    /// Of the idle process with all streams open, as a share of one core.
    idle_cpu: f64,
    /// From the operator's request to the last who was told, in ms, a broadcast each.
    told_ms: Vec<f64>,
    /// Between the first and the last who were told.
    spread_ms: Vec<f64>,
    frame_bytes: f64,
    faults: Vec<String>,
}

impl Ours {
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        let drop = &self.ops.drop;
        let operator = self.ops.sign_in().await?;
        let setting = Setting {
            first: 0,
            fans: self.common.fans,
            join: format!("/queue/{drop}/join"),
            events: format!("/queue/{drop}/events"),
            opened_by: Some("state".into()),
            at_once: AT_ONCE,
        };
        let mut clients = Clients::start(&setting).await?;
        clients.join(0, self.common.fans, &[address(&self.join)?]).await?;
        let publish = async |text: String| operator.notice(&text).await;
        measure("onsale", &self.common, &mut clients, FRAME, publish).await?.write(&self.common.out)
    }
}

impl Peer {
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        let ours = Measured::read(&self.like)?;
        let setting = Setting {
            first: 0,
            fans: self.common.fans,
            join: String::new(),
            events: self.subscribe,
            opened_by: None,
            at_once: AT_ONCE,
        };
        let mut clients = Clients::start(&setting).await?;
        let (client, url) = (reqwest::Client::new(), format!("{}{}", self.common.url, self.publish));
        let publish = async |text: String| {
            let answer = client.post(&url).body(text).send().await?;
            ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
            Ok(())
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a hundred or so bytes")]
        let frame = ours.frame_bytes.round() as u64;
        measure(&self.name, &self.common, &mut clients, frame, publish).await?.write(&self.common.out)
    }
}

/// Opens the streams and tells everybody something, again and again.
async fn measure(
    server: &str,
    common: &Common,
    clients: &mut Clients,
    frame: u64,
    publish: impl AsyncFn(String) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let process = Process(common.pid);
    let before = process.usage()?.memory;
    clients.open(0, common.fans, &[address(&common.url)?], false).await?;
    tokio::time::sleep(SETTLE).await;
    let settled = process.usage()?;
    tokio::time::sleep(IDLE).await;
    let idle = process.usage()?;

    // what a text of one byte makes of a frame, so that the others get the length asked for
    publish("a".into()).await?;
    let first = clients.told().await?;
    let bare = first.bytes / first.deliveries.max(1) - 1;
    let text = "a".repeat(usize::try_from(frame.saturating_sub(bare)).unwrap_or(1).max(1));
    publish(text.clone()).await?;
    clients.told().await?;

    let (mut told_ms, mut spread_ms, mut deliveries, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    let (start, began_us) = (process.usage()?, now_us());
    for _ in 0..common.rounds {
        tokio::time::sleep(PAUSE).await;
        let asked_us = now_us();
        publish(text.clone()).await?;
        let told = clients.told().await?;
        told_ms.push((told.last_us - asked_us) as f64 / 1e3);
        spread_ms.push((told.last_us - told.first_us) as f64 / 1e3);
        deliveries += told.deliveries;
        bytes += told.bytes;
    }
    let (end, took_s) = (process.usage()?, (now_us() - began_us) as f64 / 1e6);
    let stats = clients.mark().await?;

    let mut faults = stats.troubles;
    let all = common.rounds + 2;
    if stats.open != common.fans || stats.ended > 0 {
        faults.push(format!("{server}: {} of {} streams open, {} ended", stats.open, common.fans, stats.ended));
    }
    if (stats.heard_least, stats.heard_most) != (all, all) {
        let (least, most) = (stats.heard_least, stats.heard_most);
        faults.push(format!("{server}: of {all} messages a stream heard {least} to {most}"));
    }
    let idle_cpu = (idle.cpu - settled.cpu).as_secs_f64() / IDLE.as_secs_f64();
    let a_stream = |bytes: u64| bytes.saturating_sub(before) as f64 / 1024.0 / f64::from(common.fans);
    Ok(Measured {
        server: server.into(),
        fans: common.fans,
        rounds: common.rounds,
        memory_kib: a_stream(idle.memory),
        memory_after_kib: a_stream(end.memory),
        cpu_us: (end.cpu - start.cpu).as_secs_f64() * 1e6 / deliveries as f64,
        cpu_net_us: ((end.cpu - start.cpu).as_secs_f64() - idle_cpu * took_s) * 1e6 / deliveries as f64,
        idle_cpu,
        told_ms,
        spread_ms,
        frame_bytes: bytes as f64 / deliveries as f64,
        faults,
    })
}

impl Measured {
    fn read(path: &PathBuf) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn write(&self, path: &PathBuf) -> anyhow::Result<bool> {
        fs::write(path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(true)
    }
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<bool> {
        let (ours, peer) = (Measured::read(&self.ours)?, Measured::read(&self.peer)?);
        verdict(&ours, &peer).publish(&self.out)
    }
}

fn verdict(ours: &Measured, peer: &Measured) -> Verdict {
    let beside = |name: &str, unit: &str, of: &dyn Fn(&Measured) -> f64| {
        Figure::new(name, unit, of(ours)).beside(&peer.server, of(peer))
    };
    let middle = |times: &[f64], share| {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        quantile(&times, share).unwrap_or(f64::NAN)
    };
    let last = format!("last of {} told", ours.fans);
    let mut verdict = Verdict::new("streams");
    verdict.figures = vec![
        beside("user-space memory a stream", "KiB", &|m| m.memory_kib).must(Bound::OursAtMost(0.5)),
        beside("… after all the broadcasts", "KiB", &|m| m.memory_after_kib),
        beside("CPU a delivery", "µs", &|m| m.cpu_us).must(Bound::RatioAtMost(0.75)),
        beside("… without the idle work of that time", "µs", &|m| m.cpu_net_us),
        beside(&format!("{last}, median"), "ms", &|m| middle(&m.told_ms, 0.5)),
        beside(&format!("{last}, slowest"), "ms", &|m| middle(&m.told_ms, 1.0)),
        beside("between the first and the last", "ms", &|m| middle(&m.spread_ms, 0.5)),
        beside("CPU of the idle process", "% of a core", &|m| m.idle_cpu * 100.0),
    ];
    verdict.notes = vec![format!(
        "{} streams, {} broadcasts; frames of {:.0} bytes, {}'s of {:.0}; times from the request to publish",
        ours.fans, ours.rounds, ours.frame_bytes, peer.server, peer.frame_bytes
    )];
    verdict.faults = ours.faults.iter().chain(&peer.faults).cloned().collect();
    verdict.check(ours.fans == peer.fans && (ours.frame_bytes - peer.frame_bytes).abs() < 2.0, || {
        "the two were not given the same: other numbers of streams, or frames of other lengths".into()
    });
    verdict
}
