//! What is written and when: slices, between which those who were called are told.

use std::time::Duration;

use super::{Engine, count_end};
use crate::hub::{
    Why,
    cadence::{look_every, needs_heartbeat},
    entries::Rest,
    frames::Kind,
    sink::Wrote,
    wheel::SLOT,
};

/// Writes of a slice: between two slices those who were called are told. About a millisecond.
pub(super) const SLICE_WRITES: usize = 64;
/// Streams looked at in a slice when there is nothing to write.
const SLICE_LOOKS: usize = 1_024;

/// How far a stream came.
enum Pumped {
    /// Nothing more to say, or no room: so many frames were written.
    Frames(usize),
    Gone(&'static str),
}

impl Engine {
    /// A stream's way has something to say: it is gone, or has room again.
    pub(super) fn touched(&mut self, index: u32, may_be_gone: bool) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        if may_be_gone && entry.sink.is_gone() {
            return self.remove(index, "left");
        }
        if entry.blocked.is_some() {
            self.pump(index);
        }
    }

    pub(super) fn say_good_bye(&mut self) {
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
    pub(super) fn sweep(&mut self) {
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
    pub(super) fn look_at_due(&mut self) {
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
    pub(super) fn schedule_within(&mut self, index: u32, within: impl Fn(Option<u64>) -> Duration) {
        if let Some(entry) = self.entries.get_mut(index) {
            let within = within(entry.stream.ahead());
            entry.due = self.wheel.schedule(index, within.mul_f64(rand::random()));
        }
    }

    /// Says all that a stream is owed, as long as there is room. How many frames that were.
    pub(super) fn pump(&mut self, index: u32) -> usize {
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
            let frame = match (kind, &audience.notice) {
                (Kind::Notice, Some((_, notice))) => notice,
                _ => &self.frame,
            };
            frames += 1;
            self.meters.frames[kind as usize].increment(1);
            entry.said = self.now;
            entry.stream.said();
            match entry.sink.write_frame(frame) {
                Wrote::All => {}
                Wrote::Gone => return Pumped::Gone("left"),
                Wrote::Some(written) => {
                    entry.rest = Some(Box::new(Rest { bytes: frame.chunk().into(), written }));
                    entry.blocked = Some(self.now);
                    return Pumped::Frames(frames);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, index: u32, why: &'static str) {
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
