//! One client process: a thread, an epoll, and up to [`FANS_MAX`] fans.
//!
//! It costs as little a delivery as it can (one read, no copy, no allocation but for the bookkeeping of chunks),
//! because it runs on the machine it measures.

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::{
    ear::Ear,
    fan::{Fan, Stage},
    orders::{FANS_MAX, Order, Report, Setting, Stats},
    wire::Piece,
};
use crate::clock::now_us;

/// Bytes read from a socket at once.
const BUFFER: usize = 64 * 1024;
/// Sockets that epoll names at once.
const EVENTS: usize = 1024;
/// The token of the thread that reads orders.
const ORDERS: Token = Token(usize::MAX);
/// Troubles that are told.
const TROUBLES_MAX: usize = 5;
/// Longest for one fan's answer while many are on their way.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until the parent closes the pipe.
pub(super) fn run() -> anyhow::Result<bool> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), ORDERS)?;
    let (orders, received) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let order = line.map_err(anyhow::Error::from).and_then(|line| Ok(serde_json::from_str(&line)?));
            if orders.send(order).is_err() {
                return;
            }
            waker.wake().ok();
        }
        drop(orders);
        waker.wake().ok();
    });
    let Ok(first) = received.recv() else { return Ok(true) };
    let Order::Begin(setting) = first? else { bail!("the first order says how to begin") };
    ensure!(setting.fans <= FANS_MAX, "a client process holds {FANS_MAX} fans at most");
    let mut mob = Mob::new(setting, poll.registry().try_clone()?, say);
    let outcome = mob.run(poll, &received);
    if let Err(error) = &outcome {
        say(&Report::Failed(format!("{error:#}")))?;
    }
    outcome.map(|()| true)
}

/// To the parent.
fn say(report: &Report) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

struct Mob<S> {
    setting: Setting,
    say: S,
    fans: Vec<Fan>,
    registry: Registry,
    ear: Ear,
    /// The order being carried out.
    task: Option<Task>,
    open: u32,
    ended: u32,
    troubles: Vec<String>,
}

/// Fans on their way.
struct Task {
    stage: Stage,
    at: Vec<SocketAddr>,
    next: u32,
    to: u32,
    under_way: u32,
    since_us: i64,
}

impl<S: FnMut(&Report) -> anyhow::Result<()>> Mob<S> {
    fn new(setting: Setting, registry: Registry, say: S) -> Self {
        let fans = (0..setting.fans).map(|_| Fan::new()).collect();
        Self { setting, say, fans, registry, ear: Ear::default(), task: None, open: 0, ended: 0, troubles: Vec::new() }
    }

    fn run(&mut self, mut poll: Poll, orders: &Receiver<anyhow::Result<Order>>) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER];
        loop {
            let patience = self.task.is_some().then_some(PATIENCE);
            match poll.poll(&mut events, patience) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            ensure!(
                self.task.as_ref().is_none_or(|task| now_us() - task.since_us < PATIENCE.as_micros() as i64),
                "nothing has come for {} s: {:?}",
                PATIENCE.as_secs(),
                self.troubles
            );
            for event in &events {
                if event.token() == ORDERS {
                    loop {
                        match orders.try_recv() {
                            Ok(order) => self.obey(order?)?,
                            Err(mpsc::TryRecvError::Empty) => break,
                            Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
                        }
                    }
                } else {
                    self.stir(event.token().0, &mut buffer)?;
                }
            }
            self.send_more()?;
        }
    }

    fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        let (stage, from, to, at) = match order {
            Order::Begin(_) => bail!("it has begun"),
            Order::Mark => {
                let stats = self.mark();
                return (self.say)(&Report::Marked(Box::new(stats)));
            }
            Order::Join { from, to, at } => (Stage::Joining { then_open: false }, from, to, at),
            Order::Open { from, to, at, joining: true } => (Stage::Joining { then_open: true }, from, to, at),
            Order::Open { from, to, at, joining: false } => (Stage::Opening, from, to, at),
        };
        ensure!(self.task.is_none() && !at.is_empty() && to <= self.setting.fans, "an order that cannot be obeyed");
        self.task = Some(Task { stage, at, next: from, to, under_way: 0, since_us: now_us() });
        self.send_more()
    }

    /// Sends fans on their way, up to as many as may be at once; reports when all have arrived.
    fn send_more(&mut self) -> anyhow::Result<()> {
        let Some(task) = &mut self.task else { return Ok(()) };
        while task.next < task.to && task.under_way < self.setting.at_once {
            let (index, number) = (task.next as usize, self.setting.first + task.next);
            let to = task.at[number as usize % task.at.len()];
            let fan = &mut self.fans[index];
            fan.stage = task.stage;
            let socket = fan.connect(number, to).with_context(|| format!("fan {number} to {to}"))?;
            self.registry.register(socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            task.next += 1;
            task.under_way += 1;
        }
        if task.next == task.to && task.under_way == 0 {
            let opened = task.stage != Stage::Joining { then_open: false };
            self.task = None;
            self.ear.open(self.open);
            return (self.say)(if opened { &Report::Opened } else { &Report::Joined });
        }
        Ok(())
    }

    /// One fan's socket can be written or read.
    fn stir(&mut self, index: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
        let number = self.setting.first as usize + index;
        let fan = &mut self.fans[index];
        if fan.socket.is_none() {
            return Ok(()); // an event from before it was closed
        }
        if !fan.asked {
            let host = match &self.task {
                Some(task) => task.at[number % task.at.len()],
                None => return Ok(()),
            };
            let connected = fan.socket.as_ref().map_or(Ok(None), |socket| socket.take_error());
            let asked = match connected {
                Ok(None) => fan.ask(&self.setting, host),
                Ok(Some(error)) | Err(error) => Err(error),
            };
            match asked {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::WouldBlock) => {
                    return Ok(());
                }
                Err(error) => return self.lose(index, &error.to_string()),
                Ok(()) => {}
            }
        }
        loop {
            match self.fans[index].read(buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(0)) => return self.lose(index, "the server closed the connection"),
                Ok(Some(count)) => {
                    if let Err(trouble) = self.hear(index, &buffer[..count]) {
                        return self.lose(index, &trouble);
                    }
                    // epoll tells edges; a short read has drained the socket
                    if count < buffer.len() {
                        return self.report_told();
                    }
                }
                Err(error) => return self.lose(index, &error.to_string()),
            }
        }
    }

    fn hear(&mut self, index: usize, bytes: &[u8]) -> Result<(), String> {
        let now = now_us();
        let (ear, fan) = (&mut self.ear, &mut self.fans[index]);
        ear.stats.bytes += bytes.len() as u64;
        let stage_before = fan.stage;
        let mut wire = std::mem::take(&mut fan.wire);
        let mut trouble = None;
        let mut answered = None;
        let fed = wire.feed(bytes, |piece| match piece {
            Piece::Answer { status: 200 | 201, .. } => answered = Some(()),
            Piece::Answer { status, body } => {
                let body = String::from_utf8_lossy(&body[..body.len().min(200)]);
                trouble = Some(format!("answered {status} {body}"));
            }
            Piece::Stream if self.setting.opened_by.is_none() => fan.stage = Stage::Open,
            Piece::Stream => {}
            Piece::Frame(frame) => {
                let name = ear.hear(frame, fan, now);
                if name == Some(b"bye") {
                    trouble = Some("the server said bye".into());
                } else if fan.stage == Stage::Opening && name == self.setting.opened_by.as_deref().map(str::as_bytes) {
                    fan.stage = Stage::Open;
                }
            }
            Piece::End => trouble = Some("the server ended the stream".into()),
        });
        fan.wire = wire;
        if let Some(trouble) = trouble.or(fed.err().map(|nonsense| nonsense.to_string())) {
            return Err(trouble);
        }
        if stage_before != Stage::Open && fan.stage == Stage::Open {
            self.open += 1;
            self.arrived(now);
        } else if answered.is_some() {
            self.joined(index, now).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn joined(&mut self, index: usize, now: i64) -> io::Result<()> {
        let fan = &mut self.fans[index];
        match fan.stage {
            Stage::Joining { then_open: true } => {
                fan.stage = Stage::Opening;
                let Some(task) = &self.task else { return Ok(()) };
                let host = task.at[(self.setting.first as usize + index) % task.at.len()];
                fan.ask(&self.setting, host)
            }
            Stage::Joining { then_open: false } => {
                fan.stage = Stage::Joined;
                if let Some(mut socket) = fan.socket.take() {
                    self.registry.deregister(&mut socket)?;
                }
                self.arrived(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn arrived(&mut self, now: i64) {
        if let Some(task) = &mut self.task {
            task.under_way -= 1;
            task.since_us = now;
        }
    }

    /// The stream is over, or never began: it spoils the measurement, which goes on to say so.
    fn lose(&mut self, index: usize, why: &str) -> anyhow::Result<()> {
        let fan = &mut self.fans[index];
        if self.troubles.len() < TROUBLES_MAX {
            self.troubles.push(format!("fan {} ({:?}): {why}", self.setting.first as usize + index, fan.stage));
        }
        if let Some(mut socket) = fan.socket.take() {
            self.registry.deregister(&mut socket)?;
        }
        let was_open = std::mem::replace(&mut fan.stage, Stage::Ended) == Stage::Open;
        self.ended += 1;
        if was_open {
            self.open -= 1;
            self.ear.open(self.open);
        } else {
            self.arrived(now_us());
        }
        self.report_told()
    }

    fn report_told(&mut self) -> anyhow::Result<()> {
        match self.ear.all_told() {
            Some(told) => (self.say)(&Report::Told(told)),
            None => Ok(()),
        }
    }

    fn mark(&mut self) -> Stats {
        let stats = self.ear.mark(&mut self.fans, now_us());
        Stats { open: self.open, ended: self.ended, troubles: self.troubles.clone(), ..stats }
    }
}

#[cfg(test)]
mod tests;
