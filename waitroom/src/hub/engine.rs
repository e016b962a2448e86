//! The hub's thread: a loop over what the sockets, the process and the clock bring.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{ids::DropId, line::PlaceState};
use metrics::{Counter, Histogram};
use mio::{Events, Poll, Token};

use super::{
    Why,
    audience::Audience,
    cadence::{look_every, needs_heartbeat},
    entries::{Entries, Entry, Looking, Rest},
    frames::{Frame, Kind, LAST_CHUNK},
    inbox::{Arrival, Inbox, Looked, Message, News, Ref},
    looks::Looks,
    sink::Wrote,
    stream::Renderer,
    wheel::{SLOT, Wheel},
};

pub(super) const WAKER: Token = Token(usize::MAX);

/// Writes of a slice: between two slices those who were called are told. About a millisecond.
const SLICE_WRITES: usize = 64;
/// Streams looked at in a slice when there is nothing to write.
const SLICE_LOOKS: usize = 1_024;
/// Events taken from the kernel at a time.
const EVENTS_MAX: usize = 1_024;
/// Another rate, and so another estimate, is told to all within this time.
const RATE_SPREAD: Duration = Duration::from_secs(2);
/// At the stop, how long the last words may take.
const BYE_MAX: Duration = Duration::from_secs(3);
/// From the call to being told: more is another clock or a window that was changed.
const CALL_TOLD_MAX_US: u64 = 600_000_000;

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

/// How far the streams came.
enum Pumped {
    /// Nothing more to say, or no room: so many frames were written.
    Frames(usize),
    Gone(&'static str),
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

    fn arrived(&mut self, arrival: Arrival) {
        let Arrival { drop, crowd, mut sink, seat, stream } = arrival;
        let reference = self.entries.next_reference();
        if let Err(error) = sink.register(self.poll.registry(), reference) {
            tracing::warn!(error = &error as &dyn std::error::Error, "a stream cannot be watched");
            return count_end("error");
        }
        let audience = *self.by_drop.entry(drop.clone()).or_insert_with(|| {
            self.audiences.push(Audience::new(drop, crowd));
            self.audiences.len() as u32 - 1
        });
        let mut entry = Entry::new(sink, seat, stream, self.now);
        let members = &mut self.audiences[audience as usize].members;
        (entry.audience, entry.member) = (audience, members.len() as u32);
        let index = self.entries.insert(entry);
        members.push(index);
        self.schedule_within(index, |ahead| look_every(ahead));
        if self.stopping.is_some() {
            return self.leaving.push(index);
        }
        // looked at only now: what happens from here on is told
        self.ask_for(index, true);
        self.touched(index, true);
        self.pump(index);
    }

    fn news(&mut self, news: News) {
        let Some(&number) = self.by_drop.get(&news.drop) else { return };
        let ticked = news.tick.is_some();
        if let Some(tick) = news.tick {
            self.refresh(number, &tick.drop);
            self.audiences[number as usize].tick = tick;
        }
        for place in &news.places {
            for index in self.entries.of_place(place) {
                self.ask_for(index, true);
            }
        }
        if news.all {
            for index in self.audiences[number as usize].members.clone() {
                self.ask_for(index, false);
            }
        }
        if ticked {
            for stream in std::mem::take(&mut self.audiences[number as usize].stale) {
                if self.entries.find(stream).is_some() {
                    self.ask_for(stream.index, false);
                }
            }
        }
    }

    /// Takes over what is known of a drop; what follows from it is told in slices.
    fn refresh(&mut self, number: u32, state: &admission::line::DropState) {
        if self.audiences[number as usize].refresh(state).rate {
            for index in self.audiences[number as usize].members.clone() {
                if self.entries.get_mut(index).is_some_and(|entry| entry.stream.is_waiting()) {
                    self.schedule_within(index, |_| RATE_SPREAD);
                }
            }
        }
    }

    fn looked(&mut self, looked: Looked) {
        let Some(&number) = self.by_drop.get(&looked.drop) else { return };
        self.refresh(number, &looked.state);
        let (called, others): (Vec<_>, Vec<_>) =
            looked.answers.into_iter().partition(|(.., place)| matches!(place, PlaceState::Called { .. }));
        let answered = Instant::now();
        for (stream, held, place) in called.into_iter().chain(others) {
            let Some(entry) = self.entries.find(stream) else { continue };
            let again = std::mem::replace(&mut entry.looking, Looking::No) == Looking::Again;
            let before = entry.stream.place();
            let news = entry.stream.looked(&looked.state, (held, place));
            let wants_claim = entry.stream.wants_claim();
            self.entries.rehang(stream.index, &before, held.place);
            if let Some(outcome) = news.outcome
                && self.entries.is_first(stream.index, &held.place)
            {
                self.audiences[number as usize].crowd.card().note(outcome);
            }
            let told = self.pump(stream.index);
            if let Some(called_at) = news.called_at
                && told > 0
            {
                let looked_us = looked.state.now.saturating_sub(called_at);
                if looked_us < CALL_TOLD_MAX_US {
                    self.meters.call_told.record(looked_us as f64 / 1e6 + answered.elapsed().as_secs_f64());
                }
            }
            if again {
                self.ask_for(stream.index, true);
            } else if wants_claim && self.stopping.is_none() {
                self.claim(stream.index);
            }
        }
    }

    fn claim(&mut self, index: u32) {
        let stream = self.entries.reference(index);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.looking = Looking::Yes;
            self.looks.claim(&self.audiences[entry.audience as usize].drop, entry.stream.ask(stream));
        }
    }

    fn unanswered(&mut self, streams: &[Ref]) {
        for &stream in streams {
            if let Some(entry) = self.entries.find(stream) {
                entry.looking = Looking::No;
                entry.stream.unanswered();
                self.audiences[entry.audience as usize].stale.push(stream);
            }
        }
    }

    /// Notes that a place is to be looked at: at once, or with everybody else.
    fn ask_for(&mut self, index: u32, urgent: bool) {
        let stream = self.entries.reference(index);
        let Some(entry) = self.entries.get_mut(index) else { return };
        if entry.looking != Looking::No {
            if urgent {
                entry.looking = Looking::Again;
            }
            return;
        }
        entry.looking = Looking::Yes;
        let ask = entry.stream.ask(stream);
        let audience = &mut self.audiences[entry.audience as usize];
        if urgent { audience.urgent.push(ask) } else { audience.calm.push(ask) }
    }

    /// Sends the looks that were noted.
    fn ask(&mut self) {
        for audience in &mut self.audiences {
            if !audience.urgent.is_empty() {
                self.looks.urgent(&audience.drop, std::mem::take(&mut audience.urgent));
            }
            if !audience.calm.is_empty() {
                self.looks.calm(&audience.drop, std::mem::take(&mut audience.calm));
            }
        }
    }

    /// A stream's way has something to say: it is gone, or has room again.
    fn touched(&mut self, index: u32, may_be_gone: bool) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        if may_be_gone && entry.sink.is_gone() {
            return self.remove(index, "left");
        }
        if entry.blocked.is_some() {
            self.pump(index);
        }
    }

    fn say_good_bye(&mut self) {
        for _ in 0..SLICE_WRITES.min(self.leaving.len()) {
            if let Some(index) = self.leaving.pop()
                && let Some(entry) = self.entries.get_mut(index)
            {
                entry.stream.leave(Why::Restart);
                self.pump(index);
            }
        }
    }

    /// Tells a slice of those who are to be told that something changed for all.
    fn sweep(&mut self) {
        let Some(number) = self.audiences.iter().position(|audience| audience.sweep > 0) else { return };
        let mut writes = 0;
        for _ in 0..SLICE_LOOKS {
            let audience = &mut self.audiences[number];
            // from the end: who leaves is replaced by the last, who was told already
            audience.sweep = audience.sweep.min(audience.members.len());
            if audience.sweep == 0 || writes >= SLICE_WRITES {
                break;
            }
            audience.sweep -= 1;
            let (index, epoch, resumed) = (audience.members[audience.sweep], audience.state.epoch, audience.resumed);
            let Some(entry) = self.entries.get_mut(index) else { continue };
            if entry.stream.epoch() != epoch {
                self.ask_for(index, false);
            } else if resumed && entry.stream.has_deadline() {
                // deadlines run on drop time and moved on with the pause; so did the session, not the token's end
                entry.stream.await_look();
                self.ask_for(index, true);
            } else {
                writes += self.pump(index);
            }
        }
        let audience = &mut self.audiences[number];
        audience.resumed &= audience.sweep > 0;
    }

    /// Looks at a slice of those who are due: a position, or a sign of life.
    fn look_at_due(&mut self) {
        let mut writes = 0;
        for _ in 0..SLICE_LOOKS {
            if writes >= SLICE_WRITES {
                return;
            }
            let Some((index, slot)) = self.due.pop_front() else { return };
            let now = self.now;
            let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.due == slot) else { continue };
            let mut next = look_every(entry.stream.ahead());
            if let Some(since) = entry.blocked {
                let left = self.stall_max.saturating_sub(SLOT * now.saturating_sub(since));
                if left.is_zero() {
                    self.remove(index, "stalled");
                    continue;
                }
                next = next.min(left);
            }
            entry.stream.owe_position();
            if needs_heartbeat(SLOT * now.saturating_sub(entry.said), next) {
                entry.stream.owe_heartbeat();
            }
            entry.due = self.wheel.schedule(index, next);
            writes += self.pump(index);
        }
    }

    /// Makes a stream due at a random moment within a time that may depend on how far back it stands.
    fn schedule_within(&mut self, index: u32, within: impl Fn(Option<u64>) -> Duration) {
        if let Some(entry) = self.entries.get_mut(index) {
            let within = within(entry.stream.ahead());
            entry.due = self.wheel.schedule(index, within.mul_f64(rand::random()));
        }
    }

    /// Says all that a stream is owed, as long as there is room. How many frames that were.
    fn pump(&mut self, index: u32) -> usize {
        let was_blocked = self.entries.get_mut(index).is_some_and(|entry| entry.blocked.is_some());
        match self.write_owed(index) {
            Pumped::Frames(frames) => {
                let entry = self.entries.get_mut(index).filter(|entry| !was_blocked && entry.blocked.is_some());
                if let Some(entry) = entry {
                    entry.due = self.wheel.schedule(index, self.stall_max.min(look_every(entry.stream.ahead())));
                }
                frames
            }
            Pumped::Gone(why) => {
                self.remove(index, why);
                0
            }
        }
    }

    fn write_owed(&mut self, index: u32) -> Pumped {
        let mut frames = 0;
        let Some(entry) = self.entries.get_mut(index) else { return Pumped::Frames(0) };
        loop {
            if let Some(rest) = &mut entry.rest {
                match entry.sink.write(&rest.bytes[rest.written..]) {
                    Wrote::Gone => return Pumped::Gone("left"),
                    Wrote::Some(written) => {
                        if written > 0 || entry.blocked.is_none() {
                            entry.blocked = Some(self.now);
                        }
                        rest.written += written;
                        return Pumped::Frames(frames);
                    }
                    Wrote::All => entry.rest = None,
                }
            }
            if let Some(why) = entry.stream.leaving().filter(|_| entry.stream.is_done()) {
                return Pumped::Gone(why.word());
            }
            if !entry.sink.has_room() {
                entry.blocked.get_or_insert(self.now);
                return Pumped::Frames(frames);
            }
            entry.blocked = None;
            let audience = &self.audiences[entry.audience as usize];
            let Some(kind) = entry.stream.next(audience, &self.renderer, &mut self.frame) else {
                return Pumped::Frames(frames);
            };
            if kind == Kind::Bye {
                self.frame.end_with(LAST_CHUNK);
            }
            frames += 1;
            self.meters.frames[kind as usize].increment(1);
            entry.said = self.now;
            entry.stream.said();
            match entry.sink.write_frame(&self.frame) {
                Wrote::All => {}
                Wrote::Gone => return Pumped::Gone("left"),
                Wrote::Some(written) => {
                    entry.rest = Some(Box::new(Rest { bytes: self.frame.chunk().into(), written }));
                    entry.blocked = Some(self.now);
                    return Pumped::Frames(frames);
                }
            }
        }
    }

    fn remove(&mut self, index: u32, why: &'static str) {
        let Some(mut entry) = self.entries.remove(index) else { return };
        entry.sink.close(self.poll.registry());
        let members = &mut self.audiences[entry.audience as usize].members;
        members.swap_remove(entry.member as usize);
        if let Some(&moved) = members.get(entry.member as usize)
            && let Some(moved) = self.entries.get_mut(moved)
        {
            moved.member = entry.member;
        }
        count_end(why);
    }
}

fn count_end(why: &'static str) {
    metrics::counter!("onsale_streams_ended_total", "why" => why).increment(1);
}

#[cfg(test)]
mod tests;
