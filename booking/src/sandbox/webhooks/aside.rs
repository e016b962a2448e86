//! Events that a fault keeps back, and when they may go: pure, given the time.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::sandbox::book::Event;

/// Until when something is kept: a time on the sandbox's clock, or the end of the script that wanted it.
struct Until {
    due: Timestamp,
    ended: CancellationToken,
}

impl Until {
    fn is_over(&self, now: Timestamp) -> bool {
        self.ended.is_cancelled() || now >= self.due
    }
}

#[derive(Default)]
pub(super) struct Aside {
    late: Vec<(Event, Until)>,
    group: Vec<Event>,
    /// Set with the group's first event, as is how many it waits for.
    group_until: Option<(Until, u32)>,
}

impl Aside {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.late.len() + self.group.len()
    }

    pub(super) fn late(&mut self, event: Event, due: Timestamp, ended: CancellationToken) {
        self.late.push((event, Until { due, ended }));
    }

    /// Kept until there are `count`, to be sent in the opposite order.
    pub(super) fn hold(&mut self, event: Event, count: u32, due: Timestamp, ended: CancellationToken) {
        self.group.push(event);
        self.group_until.get_or_insert((Until { due, ended }, count));
    }

    /// What may go now: lists of events to send one after the other.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Vec<Event>> {
        let mut going: Vec<Vec<Event>> =
            self.late.extract_if(.., |(_, until)| until.is_over(now)).map(|(event, _)| vec![event]).collect();
        let complete = |(until, count): &(Until, u32)| self.group.len() >= *count as usize || until.is_over(now);
        if self.group_until.as_ref().is_some_and(complete) {
            self.group_until = None;
            going.push(self.group.drain(..).rev().collect());
        }
        going
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    fn event(id: &str) -> Event {
        Event { id: id.to_owned(), kind: "payment_intent.created".to_owned(), body: "".into() }
    }

    fn ids(going: Vec<Vec<Event>>) -> Vec<Vec<String>> {
        going.into_iter().map(|events| events.into_iter().map(|event| event.id).collect()).collect()
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_late_event_goes_when_its_time_has_come_or_its_script_ends() {
        let (mut aside, script) = (Aside::default(), CancellationToken::new());
        aside.late(event("a"), NOW + 1.second(), script.clone());
        aside.late(event("b"), NOW + 2.seconds(), script.clone());
        assert!(aside.due(NOW).is_empty());
        assert_eq!(ids(aside.due(NOW + 1.second())), [["a"]]);
        script.cancel();
        assert_eq!(ids(aside.due(NOW + 1.second())), [["b"]]);
        assert!(aside.is_empty());
    }

    #[test]
    fn a_group_goes_last_first_once_it_is_complete_or_its_time_is_over() {
        let (mut aside, script) = (Aside::default(), CancellationToken::new());
        for id in ["a", "b"] {
            aside.hold(event(id), 3, NOW + 1.second(), script.clone());
            assert!(aside.due(NOW).is_empty());
        }
        aside.hold(event("c"), 3, NOW + 9.seconds(), script.clone());
        assert_eq!(ids(aside.due(NOW)), [["c", "b", "a"]]);
        aside.hold(event("d"), 3, NOW + 1.second(), script);
        assert_eq!(ids(aside.due(NOW + 1.second())), [["d"]]);
        assert!(aside.due(NOW + 9.seconds()).is_empty());
    }
}
