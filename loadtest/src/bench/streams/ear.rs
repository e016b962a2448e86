//! What a client process makes of the frames it hears: counts, and when.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    fan::{Fan, Stage},
    orders::{QUIET_S, Stats, Told},
    wire::field,
};

#[derive(Debug, Default)]
pub(super) struct Ear {
    pub stats: Stats,
    /// Open streams, all of which a broadcast reaches.
    open: u32,
    round: Option<Told>,
}

/// The only thing read of a document: when a called fan must have claimed.
#[derive(Deserialize)]
struct Called {
    claim_deadline: Option<Timestamp>,
}

impl Ear {
    pub(super) fn open(&mut self, streams: u32) {
        self.open = streams;
    }

    /// Takes note of one frame; gives its event's name, `None` for a comment and for what only carries `retry`.
    pub(super) fn hear<'a>(&mut self, frame: &'a [u8], fan: &mut Fan, now: i64) -> Option<&'a [u8]> {
        let name = field(frame, "event");
        let data = field(frame, "data");
        match (name, data) {
            (Some(b"position"), _) => {
                self.stats.positions.count(frame.len() + 2);
                fan.quiet_us = fan.quiet_us.max(now - fan.position_us);
                fan.position_us = now;
            }
            // a peer's messages have no name
            (Some(b"notice"), _) | (None, Some(_)) => {
                self.stats.others.count(frame.len() + 2);
                fan.heard += 1;
                let round = self.round.get_or_insert(Told { first_us: now, last_us: now, deliveries: 0, bytes: 0 });
                round.last_us = now;
                round.deliveries += 1;
                round.bytes += frame.len() as u64 + 2;
            }
            (Some(name), data) => {
                self.stats.others.count(frame.len() + 2);
                match name {
                    b"called" => self.called(data, now),
                    b"admitted" => self.stats.admitted += 1,
                    _ => {}
                }
                if matches!(name, b"called" | b"admitted") {
                    fan.waiting = false;
                }
            }
            (None, None) => self.stats.comments.count(frame.len() + 2),
        }
        name.or(data.map(|_| &b"message"[..]))
    }

    /// The call was a claim window before the deadline; the parent, which knows the window, takes it off.
    fn called(&mut self, data: Option<&[u8]>, now: i64) {
        let called = data.and_then(|data| serde_json::from_slice::<Called>(data).ok());
        let deadline = called.and_then(|called| called.claim_deadline);
        // without a deadline it cannot be timed, and the parent counts what is missing
        if let Some(deadline) = deadline {
            self.stats.called_us.push(now - deadline.as_microsecond());
        }
    }

    /// The broadcast that has now reached every open stream.
    pub(super) fn all_told(&mut self) -> Option<Told> {
        self.round.take_if(|round| round.deliveries >= u64::from(self.open))
    }

    /// What was heard since the last mark.
    pub(super) fn mark(&mut self, fans: &mut [Fan], now: i64) -> Stats {
        let mut stats = std::mem::take(&mut self.stats);
        stats.quiet = vec![0; QUIET_S];
        stats.heard_least = u32::MAX;
        for fan in fans.iter_mut().filter(|fan| fan.stage == Stage::Open) {
            stats.heard_least = stats.heard_least.min(fan.heard);
            stats.heard_most = stats.heard_most.max(fan.heard);
            if fan.waiting {
                let quiet_s = fan.quiet_us.max(now - fan.position_us) / 1_000_000;
                stats.quiet[usize::try_from(quiet_s).unwrap_or(0).min(QUIET_S - 1)] += 1;
            }
            (fan.position_us, fan.quiet_us) = (now, 0);
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fan() -> Fan {
        let mut fan = Fan::new();
        fan.stage = Stage::Open;
        fan
    }

    #[test]
    fn a_broadcast_is_told_when_the_last_has_heard_it() {
        let (mut ear, mut fans) = (Ear::default(), [fan(), fan()]);
        ear.open(2);
        let notice = b"event: notice\nid: 1.1.0\ndata: {}";
        assert_eq!(ear.hear(notice, &mut fans[0], 1_000), Some(&b"notice"[..]));
        assert!(ear.all_told().is_none());
        ear.hear(notice, &mut fans[1], 3_000);
        let told = ear.all_told().unwrap();
        assert_eq!((told.first_us, told.last_us, told.deliveries, told.bytes), (1_000, 3_000, 2, 68));
        assert!(ear.all_told().is_none());
        let stats = ear.mark(&mut fans, 4_000);
        assert_eq!((stats.heard_least, stats.heard_most, stats.others.frames), (1, 1, 2));
        ear.hear(b"data: of a peer", &mut fans[0], 5_000);
        assert_eq!(ear.mark(&mut fans, 6_000).heard_least, 1);
    }

    #[test]
    fn calls_are_timed_and_quiet_streams_counted() {
        let (mut ear, mut fans) = (Ear::default(), [fan(), fan(), fan()]);
        ear.mark(&mut fans, 0);
        for second in 1..=4 {
            ear.hear(b"event: position\ndata: {}", &mut fans[0], second * 1_000_000);
        }
        ear.hear(b"event: position\ndata: {}", &mut fans[1], 9_000_000);
        let called = b"event: called\ndata: {\"claim_deadline\":\"1970-01-01T00:01:00Z\"}";
        ear.hear(called, &mut fans[2], 2_000_000);
        ear.hear(b": still here", &mut fans[2], 2_000_000);
        let stats = ear.mark(&mut fans, 10_000_000);
        assert_eq!(stats.called_us, [2_000_000 - 60_000_000]);
        assert_eq!((stats.positions.frames, stats.comments.frames), (5, 1));
        assert_eq!((stats.quiet[6], stats.quiet[9], stats.quiet.iter().sum::<u32>()), (1, 1, 2));
    }
}
