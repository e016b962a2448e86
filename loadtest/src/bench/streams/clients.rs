//! The parent's side: as many client processes as the crowd needs.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

use super::orders::{FANS_MAX, Order, Report, Setting, Stats, Told};

/// Longest for a whole crowd to join or to open.
const CROWD_WITHIN: Duration = Duration::from_secs(180);
/// Longest for a broadcast to reach everybody, and for a count.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The client processes of one crowd. They end when this goes.
pub(super) struct Clients {
    all: Vec<Client>,
    reports: mpsc::Receiver<anyhow::Result<Report>>,
    fans_each: u32,
}

struct Client {
    orders: ChildStdin,
    fans: u32,
    /// Kept because dropping it kills the process.
    _child: Child,
}

impl Clients {
    /// Starts them; `setting.fans` is the whole crowd.
    pub(super) async fn start(setting: &Setting) -> anyhow::Result<Self> {
        let processes = setting.fans.div_ceil(FANS_MAX);
        let fans_each = setting.fans.div_ceil(processes);
        let program = std::env::current_exe().context("where this program is")?;
        let (report, reports) = mpsc::channel(64);
        let mut all = Vec::new();
        for first in (0..setting.fans).step_by(fans_each as usize) {
            let fans = fans_each.min(setting.fans - first);
            let mut child = Command::new(&program)
                .arg("fans")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .context("cannot start a client process")?;
            let orders = child.stdin.take().context("no pipe to a client process")?;
            let lines = BufReader::new(child.stdout.take().context("no pipe from a client process")?).lines();
            tokio::spawn(relay(lines, report.clone()));
            all.push(Client { orders, fans, _child: child });
        }
        let mut clients = Self { all, reports, fans_each };
        for (client, first) in clients.all.iter_mut().zip((setting.first..).step_by(fans_each as usize)) {
            let setting = Setting { first, fans: client.fans, ..setting.clone() };
            client.order(&Order::Begin(setting)).await?;
        }
        Ok(clients)
    }

    /// The fans `from..to` join at `at`, each on a connection that is then closed.
    pub(super) async fn join(&mut self, from: u32, to: u32, at: &[SocketAddr]) -> anyhow::Result<()> {
        let ordered = self.order_some(from, to, |from, to| Order::Join { from, to, at: at.to_vec() }).await?;
        self.wait(ordered, CROWD_WITHIN, |report| matches!(report, Report::Joined).then_some(())).await.map(drop)
    }

    /// The fans `from..to` open their streams at `at`, after a join on the same connection if `joining`.
    pub(super) async fn open(&mut self, from: u32, to: u32, at: &[SocketAddr], joining: bool) -> anyhow::Result<()> {
        let order = |from, to| Order::Open { from, to, at: at.to_vec(), joining };
        let ordered = self.order_some(from, to, order).await?;
        self.wait(ordered, CROWD_WITHIN, |report| matches!(report, Report::Opened).then_some(())).await.map(drop)
    }

    /// The broadcast that is under way, once everybody has heard it.
    pub(super) async fn told(&mut self) -> anyhow::Result<Told> {
        let all = self.all.len();
        let told =
            self.wait(all, ANSWER_WITHIN, |report| if let Report::Told(told) = report { Some(told) } else { None });
        let together = |a: Told, b: Told| Told {
            first_us: a.first_us.min(b.first_us),
            last_us: a.last_us.max(b.last_us),
            deliveries: a.deliveries + b.deliveries,
            bytes: a.bytes + b.bytes,
        };
        told.await?.into_iter().reduce(together).context("no client process")
    }

    /// What all have heard since the last mark.
    pub(super) async fn mark(&mut self) -> anyhow::Result<Stats> {
        for client in &mut self.all {
            client.order(&Order::Mark).await?;
        }
        let all = self.all.len();
        let marked = self
            .wait(all, ANSWER_WITHIN, |report| if let Report::Marked(stats) = report { Some(*stats) } else { None });
        marked.await?.into_iter().reduce(Stats::and).context("no client process")
    }

    /// Orders every process its part of `from..to`; gives how many have one.
    async fn order_some(&mut self, from: u32, to: u32, order: impl Fn(u32, u32) -> Order) -> anyhow::Result<usize> {
        let mut ordered = 0;
        for (client, first) in self.all.iter_mut().zip((0..).step_by(self.fans_each as usize)) {
            let (from, to) = (from.max(first) - first, to.min(first + client.fans).saturating_sub(first));
            if from < to {
                client.order(&order(from, to)).await?;
                ordered += 1;
            }
        }
        Ok(ordered)
    }

    async fn wait<T>(
        &mut self,
        number: usize,
        within: Duration,
        take: impl Fn(Report) -> Option<T>,
    ) -> anyhow::Result<Vec<T>> {
        let gather = async {
            let mut taken = Vec::new();
            while taken.len() < number {
                match self.reports.recv().await.context("the client processes ended")?? {
                    Report::Failed(why) => bail!("a client process: {why}"),
                    report => taken.extend(take(report)),
                }
            }
            Ok(taken)
        };
        timeout(within, gather)
            .await
            .with_context(|| format!("the crowd was not done within {} s", within.as_secs()))?
    }
}

impl Client {
    async fn order(&mut self, order: &Order) -> anyhow::Result<()> {
        let line = serde_json::to_string(order)? + "\n";
        self.orders.write_all(line.as_bytes()).await.context("a client process takes no orders")
    }
}

async fn relay(
    mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    reports: mpsc::Sender<anyhow::Result<Report>>,
) {
    loop {
        let report = match lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line).with_context(|| format!("a client process said {line}")),
            Ok(None) => return,
            Err(error) => Err(error.into()),
        };
        let is_last = report.is_err();
        if reports.send(report).await.is_err() || is_last {
            return;
        }
    }
}
