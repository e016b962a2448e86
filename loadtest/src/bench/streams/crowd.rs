//! `crowd` and `commands`: a whole crowd with open streams on one machine, over several waitrooms.
//!
//! The drop is open at one admission a minute while the crowd gathers, so that everybody waits. First a few fans,
//! then a small crowd whose calls are the baseline, then all of them.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;
use tokio::time::sleep;

use super::{
    Ops, address,
    clients::Clients,
    operator::Operator,
    orders::{Setting, Stats},
    quantile,
    redis::{Commands, Redis},
    usage::{self, Process},
};
use crate::{
    bench::verdict::{Bound, Figure, Verdict},
    clock::now_us,
};

/// Fans on their way to an open stream at a time, in each client process.
const AT_ONCE: u32 = 32;
/// While nobody is to be called.
const STANDSTILL_PER_MINUTE: u32 = 1;
/// For what a change left to settle: the waitrooms look at the line once a second.
const SETTLE: Duration = Duration::from_secs(3);
/// Redis's commands are counted for so long.
const COUNT: Duration = Duration::from_secs(12);
/// The small crowd is called for so long.
const FEW_CALLED: Duration = Duration::from_secs(20);
/// Calls that one admission a minute may add beside those counted.
const STRAY_CALLS_MAX: u64 = 3;

#[derive(Debug, Args)]
pub(in crate::bench) struct Crowd {
    #[command(flatten)]
    ops: Ops,
    /// A waitroom and its process: http://ADDRESS:PORT=PID; once for each
    #[arg(long = "waitroom", value_name = "URL=PID", required = true, value_parser = waitroom)]
    waitrooms: Vec<(String, u32)>,
    /// The process of admission
    #[arg(long, value_name = "PID")]
    admission: u32,
    /// redis+unix://PATH
    #[arg(long, value_name = "URL")]
    redis: String,
    #[arg(long, default_value_t = 100_000)]
    fans: u32,
    /// The small crowd, for the baseline of times
    #[arg(long, default_value_t = 1_000)]
    baseline: u32,
    /// The few, for the baseline of commands
    #[arg(long, default_value_t = 100)]
    few: u32,
    /// The drop's claim window, in seconds
    #[arg(long)]
    claim_window_s: u32,
    /// How many are let in a minute, of the crowd; a tenth of it of the small one
    #[arg(long, default_value_t = 6_000)]
    rate: u32,
    /// How long the crowd is called, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Where crowd.json and commands.json go
    #[arg(long)]
    out: PathBuf,
}

fn waitroom(text: &str) -> Result<(String, u32), String> {
    let parsed = text.rsplit_once('=').and_then(|(url, pid)| Some((url.to_owned(), pid.parse().ok()?)));
    parsed.ok_or_else(|| "expected URL=PID".into())
}

/// A while in which fans were called.
struct Called {
    stats: Stats,
    /// From the call to being told, in ms, sorted.
    told_ms: Vec<f64>,
    took_s: f64,
    /// CPU used meanwhile, in cores.
    waitrooms_cpu: f64,
    admission_cpu: f64,
    redis_cpu: f64,
    /// Fewer in line, as the public totals have it.
    gone: u64,
    commands: Commands,
}

/// Redis's commands in a second while everybody waits.
struct Counted {
    fans: u32,
    /// Sent by clients, scripts above all.
    sent: f64,
    /// With what scripts run inside.
    all: f64,
    redis_cpu: f64,
}

struct Processes {
    waitrooms: Vec<Process>,
    admission: Process,
    redis: Process,
}

impl Crowd {
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        ensure!(self.few < self.baseline && self.baseline < self.fans, "expected few < baseline < fans");
        let redis = Redis::new(&self.redis)?;
        let processes = Processes {
            waitrooms: self.waitrooms.iter().map(|(_, pid)| Process(*pid)).collect(),
            admission: Process(self.admission),
            redis: Process(redis.process_id()?),
        };
        let at = self.waitrooms.iter().map(|(url, _)| address(url)).collect::<anyhow::Result<Vec<_>>>()?;
        let operator = self.ops.sign_in().await?;
        operator.pulse().await?; // from now on that waitroom watches the drop too, in all that is counted
        let drop = &self.ops.drop;
        let setting = Setting {
            first: 0,
            fans: self.fans,
            join: format!("/queue/{drop}/join"),
            events: format!("/queue/{drop}/events?claim=auto"),
            opened_by: Some("state".into()),
            at_once: AT_ONCE,
        };
        let mut clients = Clients::start(&setting).await?;
        let memory_before = usage::of_all(&processes.waitrooms)?.memory;

        clients.open(0, self.few, &at, true).await?;
        sleep(SETTLE).await;
        let few = self.count(&redis, &processes, self.few).await?;

        clients.open(self.few, self.baseline, &at, true).await?;
        sleep(SETTLE).await;
        let small = self.call(&mut clients, &operator, &redis, &processes, self.rate / 10, FEW_CALLED).await?;

        let opening_us = now_us();
        clients.open(self.baseline, self.fans, &at, true).await?;
        let opened_s = (now_us() - opening_us) as f64 / 1e6;
        eprintln!("{} streams are open, after {opened_s:.0} s", self.fans);
        sleep(SETTLE).await;
        let memory = usage::of_all(&processes.waitrooms)?.memory;
        let many = self.count(&redis, &processes, self.fans).await?;
        let seconds = Duration::from_secs(self.seconds.into());
        let large = self.call(&mut clients, &operator, &redis, &processes, self.rate, seconds).await?;

        let memory_kib = memory.saturating_sub(memory_before) as f64 / 1024.0 / f64::from(self.fans);
        let told = self.crowd(&small, &large, memory_kib, opened_s).publish(&self.out)?;
        println!();
        // a target of its own, which reads the file
        self.commands(&few, &many, &large).publish(&self.out)?;
        Ok(told)
    }

    /// Counts Redis's commands while everybody waits.
    async fn count(&self, redis: &Redis, processes: &Processes, fans: u32) -> anyhow::Result<Counted> {
        let (before, cpu_before, since) = (redis.commands()?, processes.redis.usage()?.cpu, now_us());
        sleep(COUNT).await;
        let (commands, cpu) = (redis.commands()?.since(&before), processes.redis.usage()?.cpu);
        let seconds = (now_us() - since) as f64 / 1e6;
        let a_second = |commands: u64| commands as f64 / seconds;
        Ok(Counted {
            fans,
            sent: a_second(commands.sent()),
            all: a_second(commands.total),
            redis_cpu: (cpu - cpu_before).as_secs_f64() / seconds,
        })
    }

    /// Lets fans in for a while, and listens.
    async fn call(
        &self,
        clients: &mut Clients,
        operator: &Operator,
        redis: &Redis,
        processes: &Processes,
        rate: u32,
        during: Duration,
    ) -> anyhow::Result<Called> {
        let waiting_before = operator.pulse().await?.waiting;
        clients.mark().await?;
        let (commands, since) = (redis.commands()?, now_us());
        let cpu = |of: &[Process]| usage::of_all(of).map(|usage| usage.cpu.as_secs_f64());
        let cpus = || anyhow::Ok([cpu(&processes.waitrooms)?, cpu(&[processes.admission])?, cpu(&[processes.redis])?]);
        let before = cpus()?;
        operator.rate(rate).await?;
        sleep(during).await;
        let (took_s, after) = ((now_us() - since) as f64 / 1e6, cpus()?);
        let commands = redis.commands()?.since(&commands);
        let stats = clients.mark().await?;
        operator.rate(STANDSTILL_PER_MINUTE).await?;
        // those called in between are told, and the public totals know of them
        sleep(SETTLE).await;
        let late = clients.mark().await?;
        let gone = waiting_before.saturating_sub(operator.pulse().await?.waiting);
        let window_us = i64::from(self.claim_window_s) * 1_000_000;
        let told = stats.called_us.iter().chain(&late.called_us);
        let mut told_ms: Vec<f64> = told.map(|since_deadline| (since_deadline + window_us) as f64 / 1e3).collect();
        told_ms.sort_by(f64::total_cmp);
        let [waitrooms_cpu, admission_cpu, redis_cpu] = std::array::from_fn(|i| (after[i] - before[i]) / took_s);
        let stats = Stats { ended: late.ended, troubles: late.troubles, ..stats };
        Ok(Called { stats, told_ms, took_s, waitrooms_cpu, admission_cpu, redis_cpu, gone, commands })
    }

    fn crowd(&self, small: &Called, large: &Called, memory_kib: f64, opened_s: f64) -> Verdict {
        let name = format!("{} fans", self.baseline);
        let beside = |what: &str, unit: &str, of: &dyn Fn(&Called) -> f64| {
            Figure::new(what, unit, of(large)).beside(&name, of(small))
        };
        let told = |share| move |called: &Called| quantile(&called.told_ms, share).unwrap_or(f64::NAN);
        let mut verdict = Verdict::new("crowd");
        verdict.figures = vec![
            beside("call → told, median", "ms", &told(0.5)),
            beside("call → told, p99", "ms", &told(0.99)).must(Bound::OursAtMost(250.0)),
            beside("call → told, slowest", "ms", &told(1.0)),
            beside("between a stream's positions, mean", "s", &Called::between_positions_s),
            beside("longest quiet of a stream, p99", "s", &Called::longest_quiet_s),
            beside("bytes a stream and second", "B", &|c| c.stats.bytes as f64 / c.took_s / f64::from(c.stats.open)),
            beside("CPU of the waitrooms", "cores", &|c| c.waitrooms_cpu),
            beside("… a frame", "µs", &|c| c.waitrooms_cpu * c.took_s * 1e6 / c.frames()),
            beside("CPU of admission", "cores", &|c| c.admission_cpu),
            beside("CPU of Redis", "cores", &|c| c.redis_cpu),
            Figure::new("user-space memory a fan, join and stream", "KiB", memory_kib),
        ];
        verdict.notes = vec![format!(
            "{} fans on {} waitrooms, joined and listening after {opened_s:.0} s; {} called at {} a minute, {} of the \
             {} before; a call's moment is its claim deadline less the window, on Redis's clock",
            self.fans,
            self.waitrooms.len(),
            large.told_ms.len(),
            self.rate,
            small.told_ms.len(),
            self.baseline,
        )];
        for (called, fans) in [(small, self.baseline), (large, self.fans)] {
            let stats = &called.stats;
            verdict.faults.extend(stats.troubles.iter().cloned());
            verdict.check(stats.open == fans && stats.ended == 0, || {
                format!("{} of {fans} streams open, {} ended", stats.open, stats.ended)
            });
            let (told, gone) = (called.told_ms.len() as u64, called.gone);
            verdict.check(told > 0 && told.abs_diff(gone) <= STRAY_CALLS_MAX, || {
                format!("{gone} were called, {told} told")
            });
            verdict.check(stats.positions.frames > 0, || "no position moved".into());
        }
        verdict
    }

    fn commands(&self, few: &Counted, many: &Counted, large: &Called) -> Verdict {
        let name = format!("{} fans", few.fans);
        let beside = |what: &str, unit: &str, of: &dyn Fn(&Counted) -> f64| {
            Figure::new(what, unit, of(many)).beside(&name, of(few))
        };
        let mut verdict = Verdict::new("commands");
        verdict.figures = vec![
            beside("commands sent to Redis", "/s", &|c| c.sent).must(Bound::RatioWithin(0.1)),
            beside("… with what scripts run inside", "/s", &|c| c.all),
            beside("CPU of Redis", "% of a core", &|c| c.redis_cpu * 100.0),
            Figure::new(
                &format!("sent, {} a minute called", self.rate),
                "/s",
                large.commands.sent() as f64 / large.took_s,
            ),
        ];
        verdict.notes = vec![format!(
            "{} fans wait with open streams, {} s each, nobody called; the scripts read positions at about 1 % more \
             ranks the longer the line, in the same number of calls",
            many.fans,
            COUNT.as_secs()
        )];
        verdict
    }
}

impl Called {
    fn frames(&self) -> f64 {
        let stats = &self.stats;
        (stats.positions.frames + stats.others.frames + stats.comments.frames) as f64
    }

    fn between_positions_s(&self) -> f64 {
        f64::from(self.stats.open) * self.took_s / self.stats.positions.frames as f64
    }

    /// Of those still in line, the longest time without a position, in whole seconds.
    fn longest_quiet_s(&self) -> f64 {
        let total: u64 = self.stats.quiet.iter().map(|streams| u64::from(*streams)).sum();
        let mut seen = 0;
        let below = self.stats.quiet.iter().take_while(|streams| {
            seen += u64::from(**streams);
            seen * 100 < total * 99
        });
        below.count() as f64
    }
}
