//! Joins a second over HTTP, against a route that answers a body of the same size and does nothing
//! else. Both stand in one server process behind the same middleware and a rate limit of the same quota,
//! called in turns by the same 1,024 connections; Redis keeps its append-only file, synced every second.
//!
//! The server has a core to itself; the client and Redis share the other. Each connection comes from an
//! address of its own, and each turn from new ones, as a crowd does. The join quota of an address stands as it
//! is by default, so turns are short and many: 1,024 addresses stay below it for two seconds at 100,000 answers a
//! second together.
//!
//! Speeds tell the server's only while it uses up its core. Where the other side cannot keep it that busy, in
//! either kind of turn, the bound is held against what the server's CPU spends on each instead.
//!
//! CONNECTIONS= (1024), TURN_S= (2), ROUNDS= (8).

use std::{
    io::Read as _,
    net::SocketAddr,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use admission::{
    ids::{DropId, VisitorSecret},
    line::Line,
};
use anyhow::{Context as _, ensure};
use axum::{Router, http::header, response::IntoResponse, routing::post};
use bytes::Bytes;
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    private_stack::{PrivateRedis, Scratch},
    rate_limit::{RateLimit, limited},
    redis::Redis,
    server, telemetry,
    testing::{Figures, keyring, site},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinSet,
};

use crate::{
    size,
    wire::{Wire, loopback, request},
};

const DROP: &str = "evening";
const PREFIX: &str = "bench";
/// Bytes of a join's document, give or take a digit.
const DOCUMENT: usize = 600;
/// The share of hello's speed that joins must reach.
const RATIO_LEAST: f64 = 0.8;
/// Below this share of its core, the server was waiting for somebody and its speed says nothing.
const BUSY_LEAST: f64 = 0.85;
/// How far the two bodies' sizes may lie apart.
const SIZE_APART_MOST: f64 = 0.1;
/// Clock ticks a second in /proc/PID/stat, the same on every Linux.
const TICKS: f64 = 100.0;

/// Binds this process, and so Redis, to the second core; the server gets the first.
pub(crate) fn stand_on_the_second_core() {
    let pid = std::process::id().to_string();
    let bound = std::process::Command::new("taskset").args(["-cp", "1", &pid]).stdout(Stdio::null()).status();
    if !bound.is_ok_and(|status| status.success()) {
        eprintln!("joins: cannot bind processes to cores here (taskset): the figures will wander");
    }
}

/// The server's part: ends when its standard input does.
pub(crate) async fn serve(redis_url: &str) -> anyhow::Result<ExitCode> {
    telemetry::init(telemetry::Format::Json);
    telemetry::install_crypto();
    let lifecycle = Lifecycle::new();
    let deps = waitroom::Deps {
        redis: connect(redis_url).await?,
        keyring: keyring(),
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        public_url: "https://tickets.example".to_owned(),
        site: site(vec![waitroom::assets()]),
    };
    let settings = waitroom::Settings::default();
    let limit = RateLimit::new("hello", settings.join);
    let hello = Router::new().route("/queue/{drop}/hello", post(hello).layer(limited(limit)));
    let fans = waitroom::build(settings, deps).await?;
    let settings = server::Settings::default();
    let router = shared::http::front(fans.merge(hello), &settings, &site(Vec::new()));
    let listener = server::bind(([127, 0, 0, 1], 0).into(), settings.backlog)?;
    println!("{}", listener.local_addr()?);
    let running = lifecycle.clone();
    lifecycle.spawn("server", async move { server::serve(listener, router, &settings, &running).await });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(ExitCode::SUCCESS)
}

async fn hello() -> impl IntoResponse {
    static BODY: [u8; DOCUMENT] = [b'x'; DOCUMENT];
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], Bytes::from_static(&BODY))
}

pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    telemetry::install_crypto();
    let (connections, seconds, rounds) = (size("CONNECTIONS", 1_024), size("TURN_S", 2), size("ROUNDS", 8));
    let data = Scratch::new("onsale-bench")?;
    let mut private = PrivateRedis::start(data.path()).await?;
    let mut redis = connect(&private.url()).await?;
    let line = Line::new(redis.clone());
    let drop = DropId::parse(DROP).context("a slug")?;
    line.create(&drop, &open_control()).await?;
    let (mut server, address) = start_server(&private.url()).await?;

    let redis_pid = std::fs::read_to_string(data.path().join("redis/redis.pid")).context("Redis's own pid")?;
    let mut bench = Bench {
        address,
        server: server.id().context("the server runs")?,
        redis: redis_pid.trim().parse().context("Redis's own pid")?,
        connections,
        origin: 0,
    };
    let warm = Duration::from_secs(1);
    bench.turn("join", warm).await?;
    bench.turn("hello", warm).await?;
    let turn = Duration::from_secs(seconds as u64);
    let (mut hello, mut join) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        hello.push(bench.turn("hello", turn).await?);
        join.push(bench.turn("join", turn).await?);
        eprintln!("round {round}: hello {:.0}/s, joins {:.0}/s", hello[round - 1].rate, join[round - 1].rate);
    }
    let waiting: u64 = redis::cmd("ZCARD").arg(format!("{PREFIX}:{{{DROP}}}:waiting")).query_async(&mut redis).await?;
    drop_server(&mut server).await?;
    private.stop().await?;
    let apart = (join[0].body / hello[0].body - 1.0).abs();
    ensure!(apart <= SIZE_APART_MOST, "a join answers {} bytes, hello {}", join[0].body, hello[0].body);
    ensure!(waiting as usize >= join.iter().map(|turn| turn.answers).sum(), "{waiting} places for more joins");
    figures(&hello, &join, waiting).publish().map_err(Into::into)
}

fn figures(hello: &[Turn], join: &[Turn], waiting: u64) -> Figures {
    let mean = |turns: &[Turn], of: fn(&Turn) -> f64| turns.iter().map(of).sum::<f64>() / turns.len() as f64;
    // a noisy machine slows one turn and not its neighbour: the middle pair says most
    let middle = |ratio: fn(&Turn, &Turn) -> f64| {
        let mut ratios: Vec<f64> = hello.iter().zip(join).map(|(hello, join)| ratio(hello, join)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    };
    let by_speed = middle(|hello, join| join.rate / hello.rate);
    let by_cpu = middle(|hello, join| hello.cpu_us / join.cpu_us);
    let is_saturated = [hello, join].into_iter().all(|turns| mean(turns, |turn| turn.busy) >= BUSY_LEAST);
    let mut figures = Figures::new("joins");
    figures.is("hello", mean(hello, |turn| turn.rate), "/s");
    figures.is("joins", mean(join, |turn| turn.rate), "/s");
    if is_saturated {
        figures.at_least(RATIO_LEAST, "joins ÷ hello, speed (the server used up its core)", by_speed, "");
        figures.is("joins ÷ hello, by server CPU", by_cpu, "");
    } else {
        figures.is("joins ÷ hello, speed (the server's core was not used up)", by_speed, "");
        figures.at_least(RATIO_LEAST, "joins ÷ hello, by server CPU", by_cpu, "");
    }
    figures.is("server CPU, hello", mean(hello, |turn| turn.cpu_us), "µs");
    figures.is("server CPU, join", mean(join, |turn| turn.cpu_us), "µs");
    figures.is("Redis CPU, join", mean(join, |turn| turn.redis_us), "µs");
    figures.is("server's core used, hello", mean(hello, |turn| turn.busy), "");
    figures.is("server's core used, joins", mean(join, |turn| turn.busy), "");
    figures.is("other core used by client and Redis, hello", mean(hello, |turn| turn.load_busy), "");
    figures.is("other core used by client and Redis, joins", mean(join, |turn| turn.load_busy), "");
    figures.is("body, hello", mean(hello, |turn| turn.body), "bytes");
    figures.is("body, join", mean(join, |turn| turn.body), "bytes");
    figures.is("join, median", mean(join, |turn| turn.p50_ms), "ms");
    figures.is("join, p99", mean(join, |turn| turn.p99_ms), "ms");
    figures.is("places in line at the end", waiting as f64, "");
    figures
}

struct Bench {
    address: SocketAddr,
    server: u32,
    redis: u32,
    connections: usize,
    /// Addresses used so far: each turn comes from new ones.
    origin: usize,
}

/// What one turn came to.
struct Turn {
    answers: usize,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Of the server, an answer.
    cpu_us: f64,
    /// Of the server, as a share of a core.
    busy: f64,
    /// Of Redis, an answer.
    redis_us: f64,
    /// Of client and Redis together, as a share of a core.
    load_busy: f64,
    /// Bytes of the last connection's last answer.
    body: f64,
}

/// CPU used so far, in seconds.
struct Cpu {
    server: f64,
    redis: f64,
    client: f64,
}

impl Bench {
    /// Calls one route over all connections for a while.
    async fn turn(&mut self, call: &'static str, lasting: Duration) -> anyhow::Result<Turn> {
        let mut wires = Vec::with_capacity(self.connections);
        for n in 0..self.connections {
            wires.push(Wire::open(self.address, loopback(self.origin + n)).await?);
        }
        self.origin += self.connections;
        let (began, before) = (Instant::now(), self.cpu()?);
        let end = began + lasting;
        let mut clients = JoinSet::new();
        for wire in wires {
            clients.spawn(client(wire, call, end));
        }
        let (mut took, mut body) = (Vec::new(), 0);
        while let Some(client) = clients.join_next().await {
            let (mut each, length) = client??;
            took.append(&mut each);
            body = length;
        }
        let (elapsed, after) = (began.elapsed().as_secs_f64(), self.cpu()?);
        let (server, redis) = (after.server - before.server, after.redis - before.redis);
        took.sort_unstable();
        let answers = took.len() as f64;
        let at = |share: f64| took.get((answers * share) as usize).map_or(f64::NAN, |&us| us as f64 / 1e3);
        Ok(Turn {
            answers: took.len(),
            rate: answers / elapsed,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            cpu_us: server * 1e6 / answers,
            busy: server / elapsed,
            redis_us: redis * 1e6 / answers,
            load_busy: (redis + after.client - before.client) / elapsed,
            body: body as f64,
        })
    }

    fn cpu(&self) -> anyhow::Result<Cpu> {
        Ok(Cpu { server: cpu_s(self.server)?, redis: cpu_s(self.redis)?, client: cpu_s(std::process::id())? })
    }
}

/// One connection, a new visitor each time; how long each call took, in microseconds, and the last answer's bytes.
async fn client(mut wire: Wire, call: &'static str, end: Instant) -> anyhow::Result<(Vec<u32>, usize)> {
    let mut visitor = VisitorSecret::generate().expose().into_bytes();
    let mut request =
        request("POST", &format!("/queue/{DROP}/{call}"), &[("onsale-visitor", std::str::from_utf8(&visitor)?)]);
    let at = request.windows(visitor.len()).position(|window| window == visitor).context("the visitor is in it")?;
    let expected = if call == "join" { 201 } else { 200 };
    let (mut took, mut body) = (Vec::new(), Vec::new());
    loop {
        let sent = Instant::now();
        if sent >= end {
            return Ok((took, body.len()));
        }
        let status = wire.call(&request, &mut body).await?;
        ensure!(status == expected, "{call} answered {status}: {}", String::from_utf8_lossy(&body));
        took.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        next_visitor(&mut visitor);
        request[at..at + visitor.len()].copy_from_slice(&visitor);
    }
}

/// Counts on in the first characters of a random secret, in base64url's letters.
fn next_visitor(visitor: &mut [u8]) {
    for letter in visitor.iter_mut().take(10) {
        *letter = match *letter {
            b'z' => b'A',
            b'Z' => b'a',
            b'A'..=b'Y' | b'a'..=b'y' => *letter + 1,
            _ => b'A',
        };
        if *letter != b'A' {
            return;
        }
    }
}

fn open_control() -> Vec<(&'static str, String)> {
    [
        ("epoch", "1"),
        ("rate", "60"),
        ("max_active", "1000000"),
        ("claim_us", "60000000"),
        ("grace_us", "60000000"),
        ("session_us", "600000000"),
        ("opens_at", "1"),
        ("title", "An evening with nobody"),
        ("events", r#"["01890000-0000-7000-8000-000000000000"]"#),
    ]
    .map(|(field, value)| (field, value.to_owned()))
    .into()
}

async fn connect(url: &str) -> anyhow::Result<Redis> {
    shared::redis::connect(&shared::redis::Settings { url: url.to_owned().into(), prefix: PREFIX.to_owned() }).await
}

async fn start_server(redis_url: &str) -> anyhow::Result<(Child, SocketAddr)> {
    let program = std::env::current_exe()?;
    let bound = std::process::Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
    let mut command = match bound {
        Ok(_) => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            command
        }
        Err(_) => Command::new(program),
    };
    command.args(["joins-server", redis_url]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn"); // a line for each request would cost both alike, and flatter the ratio
    }
    let mut child = command.spawn().context("starting the server")?;
    let out = child.stdout.take().context("its output")?;
    let first = BufReader::new(out).lines().next_line().await?.context("the server did not come up")?;
    Ok((child, first.parse()?))
}

async fn drop_server(server: &mut Child) -> anyhow::Result<()> {
    server.stdin.take(); // it ends when its input does
    let ended = tokio::time::timeout(Duration::from_secs(5), server.wait()).await;
    ensure!(ended.is_ok_and(|status| status.is_ok_and(|status| status.success())), "the server failed");
    Ok(())
}

/// Seconds of CPU a process has used, user and system; fields 14 and 15 of proc(5)'s stat.
fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the server's CPU time: Linux only")?;
    let (_, after_name) = text.rsplit_once(')').context("proc's stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).context("proc's stat");
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
