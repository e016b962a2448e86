//! When each stream is due: a wheel of time slots, so that nobody is looked at for nothing.

use std::{collections::VecDeque, time::Duration};

/// What a slot is worth.
pub(super) const SLOT: Duration = Duration::from_millis(50);
/// 12.8 s ahead: more than the longest time between two looks at a stream.
const SLOTS: u32 = 256;

/// Streams by the slot they are due in. A stream keeps the slot it was given; what the wheel says of another is
/// out of date.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    /// The last slot that was emptied.
    now: u32,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![Vec::new(); SLOTS as usize], now: 0 }
    }

    /// Makes a stream due `after` from now; gives the slot.
    pub(super) fn schedule(&mut self, stream: u32, after: Duration) -> u32 {
        let slots = u32::try_from(after.as_millis() / SLOT.as_millis()).unwrap_or(u32::MAX);
        let slot = self.now + slots.clamp(1, SLOTS - 1);
        self.slots[(slot % SLOTS) as usize].push(stream);
        slot
    }

    /// Moves on to slot `now`; appends who became due, with the slot they were due in.
    pub(super) fn advance(&mut self, now: u32, due: &mut VecDeque<(u32, u32)>) {
        for slot in (self.now + 1)..=now.min(self.now.saturating_add(SLOTS)) {
            due.extend(self.slots[(slot % SLOTS) as usize].drain(..).map(|stream| (stream, slot)));
        }
        self.now = self.now.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_in_its_slot_however_late_the_wheel_turns() {
        let mut wheel = Wheel::new();
        let mut due = VecDeque::new();
        let soon = wheel.schedule(1, Duration::ZERO);
        let later = wheel.schedule(2, Duration::from_secs(10));
        let capped = wheel.schedule(3, Duration::from_secs(3_600));
        assert_eq!((soon, later, capped), (1, 200, 255));
        wheel.advance(1, &mut due);
        assert_eq!(due.drain(..).collect::<Vec<_>>(), [(1, 1)]);
        wheel.advance(199, &mut due);
        assert!(due.is_empty());
        wheel.advance(10_000, &mut due); // the thread was not let run
        assert_eq!(due.drain(..).collect::<Vec<_>>(), [(2, 200), (3, 255)]);
        assert_eq!(wheel.schedule(4, Duration::from_millis(100)), 10_002);
        wheel.advance(10_002, &mut due);
        assert_eq!(due.drain(..).collect::<Vec<_>>(), [(4, 10_002)]);
    }
}
