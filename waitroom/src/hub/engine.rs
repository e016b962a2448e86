//! The hub's thread: a loop over what the sockets, the process and the clock bring.

mod news;
mod slices;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::ids::DropId;
use metrics::{Counter, Histogram};
use mio::{Events, Poll, Token};

use super::{
    audience::Audience,
    entries::Entries,
    frames::{Frame, Kind},
    inbox::{Inbox, Message},
    looks::Looks,
    stream::Renderer,
    wheel::{SLOT, Wheel},
};

pub(super) const WAKER: Token = Token(usize::MAX);

/// Events taken from the kernel at a time.
const EVENTS_MAX: usize = 1_024;
/// At the stop, how long the last words may take.
const BYE_MAX: Duration = Duration::from_secs(3);

pub(super) struct Engine {
    poll: Poll,
    inbox: Arc<Inbox>,
    looks: Looks,
    renderer: Renderer,
    /// A stream that takes nothing for so long is dropped.
    stall_max: Duration,
    entries: Entries,
    audiences: Vec<Audience>,
    by_drop: HashMap<DropId, u32>,
    wheel: Wheel,
    /// Who is due, with the slot they were due in.
    due: VecDeque<(u32, u32)>,
    frame: Frame,
    started: Instant,
    now: u32,
    /// When the process began to stop.
    stopping: Option<u32>,
    /// Whose last word is to be said.
    leaving: Vec<u32>,
    meters: Meters,
}

struct Meters {
    frames: [Counter; Kind::ALL.len()],
    call_told: Histogram,
}

impl Engine {
    pub(super) fn new(poll: Poll, inbox: Arc<Inbox>, looks: Looks, renderer: Renderer, stall_max: Duration) -> Self {
        let frames = Kind::ALL.map(|kind| metrics::counter!("onsale_stream_frames_total", "kind" => kind.word()));
        let call_told = metrics::histogram!("onsale_call_told_seconds");
        Self {
            poll,
            inbox,
            looks,
            renderer,
            stall_max,
            entries: Entries::default(),
            audiences: Vec::new(),
            by_drop: HashMap::new(),
            wheel: Wheel::new(),
            due: VecDeque::new(),
            frame: Frame::default(),
            started: Instant::now(),
            now: 0,
            stopping: None,
            leaving: Vec::new(),
            meters: Meters { frames, call_told },
        }
    }

    /// Until it is told to stop, and all have heard.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let outcome = self.turn();
        self.inbox.close();
        outcome
    }

    fn turn(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut messages = Vec::new();
        while !self.is_over() {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            self.now = self.slot();
            for event in events.iter().filter(|event| event.token() != WAKER) {
                self.touched(event.token().0 as u32, event.is_readable() || event.is_read_closed() || event.is_error());
            }
            self.inbox.take(&mut messages);
            self.once(&mut messages);
        }
        Ok(())
    }

    /// What was told, and a slice of all else.
    fn once(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            self.hear(message);
        }
        self.wheel.advance(self.now, &mut self.due);
        self.say_good_bye();
        self.sweep();
        self.look_at_due();
        self.ask();
    }

    fn slot(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_millis() / SLOT.as_millis()).unwrap_or(u32::MAX)
    }

    /// How long the kernel may let us wait; for ever when there are no streams.
    fn patience(&self) -> Option<Duration> {
        let has_work = !self.due.is_empty()
            || !self.leaving.is_empty()
            || self.audiences.iter().any(|audience| audience.sweep > 0);
        if has_work {
            return Some(Duration::ZERO);
        }
        (self.entries.len() > 0).then(|| {
            let next = SLOT * (self.now + 1);
            next.saturating_sub(self.started.elapsed())
        })
    }

    fn is_over(&self) -> bool {
        self.stopping.is_some_and(|since| self.entries.len() == 0 || self.lasted(since) > BYE_MAX)
    }

    fn lasted(&self, since: u32) -> Duration {
        SLOT * self.now.saturating_sub(since)
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Arrived(arrival) => self.arrived(*arrival),
            Message::News(news) => self.news(*news),
            Message::Looked(looked) => self.looked(*looked),
            Message::Unanswered(streams) => self.unanswered(&streams),
            Message::Touched(stream) => {
                if self.entries.find(stream).is_some() {
                    self.touched(stream.index, true);
                }
            }
            Message::Stop => {
                self.stopping.get_or_insert(self.now);
                self.leaving = self.entries.indices();
            }
        }
    }
}

fn count_end(why: &'static str) {
    metrics::counter!("onsale_streams_ended_total", "why" => why).increment(1);
}
