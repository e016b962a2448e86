//! The slab of streams, and who of them belongs to which place.

use std::collections::HashMap;

use admission::ids::Place;

use super::{inbox::Ref, room::Seat, sink::Sink, stream::Stream};

/// No stream.
const NONE: u32 = u32::MAX;

/// One stream and what the hub keeps of it. Times are slots of the wheel.
pub(super) struct Entry {
    pub(super) sink: Sink,
    pub(super) stream: Stream,
    pub(super) audience: u32,
    /// Where it stands among the audience's members.
    pub(super) member: u32,
    pub(super) due: u32,
    pub(super) said: u32,
    /// Since when it takes nothing.
    pub(super) blocked: Option<u32>,
    /// What of a frame could not be written.
    pub(super) rest: Option<Box<Rest>>,
    pub(super) looking: Looking,
    /// The number of the latest look.
    pub(super) asked: u32,
    /// The next stream of the same place.
    next: u32,
    _seat: Seat,
}

/// What of a frame is left to write: less than one document.
pub(super) struct Rest {
    pub(super) bytes: Box<[u8]>,
    pub(super) written: usize,
}

/// Whether a look at its place is under way, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    No,
    /// With everybody; one that is urgent does not wait for it.
    Calm,
    Urgent,
    /// By an automatic claim.
    Claim,
    /// An urgent one, and something happened since.
    Again,
}

impl Slot {
    fn next(&self) -> Option<u32> {
        self.entry.as_ref().map(|entry| entry.next).filter(|&next| next != NONE)
    }
}

impl Entry {
    pub(super) fn new(sink: Sink, seat: Seat, stream: Stream, now: u32) -> Self {
        Self {
            sink,
            stream,
            audience: NONE,
            member: NONE,
            due: 0,
            said: now,
            blocked: None,
            rest: None,
            looking: Looking::No,
            asked: 0,
            next: NONE,
            _seat: seat,
        }
    }
}

/// All streams of the process by number, and by place.
#[derive(Default)]
pub(super) struct Entries {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The stream of a place that listens longest; the others follow it.
    by_place: HashMap<Place, u32>,
}

#[derive(Default)]
struct Slot {
    serial: u32,
    entry: Option<Entry>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.slots.get_mut(index as usize)?.entry.as_mut()
    }

    /// The stream, unless it is gone and its number another's.
    pub(super) fn find(&mut self, stream: Ref) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(stream.index as usize)?;
        slot.entry.as_mut().filter(|_| slot.serial == stream.serial)
    }

    pub(super) fn reference(&self, index: u32) -> Ref {
        let serial = self.slots.get(index as usize).map_or(0, |slot| slot.serial);
        Ref { index, serial }
    }

    /// What the next entry will be called.
    pub(super) fn next_reference(&mut self) -> Ref {
        if self.free.is_empty() {
            self.free.push(self.slots.len() as u32);
            self.slots.push(Slot::default());
        }
        self.reference(self.free.last().copied().unwrap_or_default())
    }

    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let Ref { index, .. } = self.next_reference();
        self.free.pop();
        let place = entry.stream.listens_for();
        self.slots[index as usize].entry = Some(entry);
        self.rehang(index, None, place);
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Entry> {
        let place = self.get_mut(index)?.stream.listens_for();
        self.rehang(index, place, None);
        let slot = self.slots.get_mut(index as usize)?;
        let entry = slot.entry.take()?;
        slot.serial = slot.serial.wrapping_add(1);
        self.free.push(index);
        Some(entry)
    }

    /// Listens for the place it has now, and no longer for the one it had.
    pub(super) fn rehang(&mut self, index: u32, before: Option<Place>, now: Option<Place>) {
        if before == now {
            return;
        }
        if let Some(before) = before {
            self.unhang(index, &before);
        }
        if let Some(now) = now {
            self.hang(index, now);
        }
    }

    /// As the last of its place.
    fn hang(&mut self, index: u32, place: Place) {
        let Some(&first) = self.by_place.get(&place) else {
            self.by_place.insert(place, index);
            return;
        };
        let last = self.of_chain(first).last().unwrap_or(first);
        if let Some(last) = self.get_mut(last) {
            last.next = index;
        }
    }

    fn unhang(&mut self, index: u32, place: &Place) {
        let next = self.get_mut(index).map_or(NONE, |entry| std::mem::replace(&mut entry.next, NONE));
        let first = self.by_place.get(place).copied().unwrap_or(NONE);
        if first == index {
            match next {
                NONE => self.by_place.remove(place),
                next => self.by_place.insert(*place, next),
            };
            return;
        }
        let before = self.of_chain(first).find(|&at| self.slots[at as usize].next() == Some(index));
        if let Some(before) = before.and_then(|before| self.get_mut(before)) {
            before.next = next;
        }
    }

    /// The streams of a place: a fan's tabs, the oldest first.
    pub(super) fn of_place(&self, place: &Place) -> Vec<u32> {
        self.by_place.get(place).map(|&first| self.of_chain(first).collect()).unwrap_or_default()
    }

    /// Whether the stream is the oldest of its place.
    pub(super) fn is_first(&self, index: u32, place: &Place) -> bool {
        self.by_place.get(place) == Some(&index)
    }

    pub(super) fn indices(&self) -> Vec<u32> {
        (0..self.slots.len() as u32).filter(|&index| self.slots[index as usize].entry.is_some()).collect()
    }

    fn of_chain(&self, first: u32) -> impl Iterator<Item = u32> + use<'_> {
        std::iter::successors(Some(first), |&at| self.slots.get(at as usize)?.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the half KiB that a stream may cost, with what is kept by place and of the time it is due.
    #[test]
    fn a_stream_is_held_in_few_bytes() {
        assert!(size_of::<Slot>() <= 320, "{} bytes", size_of::<Slot>());
    }
}
