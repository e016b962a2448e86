//! The report card of the estimates: of the streams that were shown an interval and were still open at the call,
//! how many fans were called before it, inside it and after it. Who slept or came back since is judged by the first
//! interval of the new stream, or not at all. Counted in memory, brought to the line once a second.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use admission::{
    estimate::Outcome,
    ids::DropId,
    line::{Line, LineError, Outcomes},
};
use metrics::Counter;

/// One drop's card.
pub(crate) struct Card {
    early: Tally,
    right: Tally,
    late: Tally,
}

impl Card {
    pub(crate) fn new(drop: &DropId) -> Self {
        let tally = |outcome| Tally {
            unreported: AtomicU64::new(0),
            total: metrics::counter!("onsale_estimates_total", "drop" => drop.to_string(), "outcome" => outcome),
        };
        Self { early: tally("early"), right: tally("right"), late: tally("late") }
    }

    /// A fan was called: how the first interval their stream was shown turned out.
    pub(crate) fn note(&self, outcome: Outcome) {
        let tally = match outcome {
            Outcome::Early => &self.early,
            Outcome::Right => &self.right,
            Outcome::Late => &self.late,
        };
        tally.unreported.fetch_add(1, Relaxed);
        tally.total.increment(1);
    }

    /// Brings what was noted since the last time to the line: one command, none when there is nothing.
    /// What could not be brought is kept for the next time.
    pub(crate) async fn report(&self, line: &Line, drop: &DropId) -> Result<(), LineError> {
        let noted = self.take();
        if noted == Outcomes::default() {
            return Ok(());
        }
        let reported = line.report_estimates(drop, noted).await;
        if reported.is_err() {
            self.put_back(noted);
        }
        reported
    }

    fn take(&self) -> Outcomes {
        let take = |tally: &Tally| tally.unreported.swap(0, Relaxed);
        Outcomes { early: take(&self.early), right: take(&self.right), late: take(&self.late) }
    }

    fn put_back(&self, outcomes: Outcomes) {
        self.early.unreported.fetch_add(outcomes.early, Relaxed);
        self.right.unreported.fetch_add(outcomes.right, Relaxed);
        self.late.unreported.fetch_add(outcomes.late, Relaxed);
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card").finish_non_exhaustive()
    }
}

struct Tally {
    unreported: AtomicU64,
    /// As long as this process lives.
    total: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_taken_once() {
        let card = Card::new(&DropId::parse("an-evening").unwrap());
        for outcome in [Outcome::Early, Outcome::Late, Outcome::Early, Outcome::Right] {
            card.note(outcome);
        }
        let noted = card.take();
        assert_eq!(noted, Outcomes { early: 2, right: 1, late: 1 });
        assert_eq!(card.take(), Outcomes::default());
    }

    #[tokio::test]
    async fn what_cannot_be_brought_is_kept_and_brought_once() {
        let (world, drop) = (shared::testing::world().await, DropId::parse("an-evening").unwrap());
        let (line, card) = (Line::new(world.redis.clone()), Card::new(&drop));
        card.report(&line, &drop).await.unwrap(); // nothing to bring: nothing is asked
        card.note(Outcome::Right);
        assert!(card.report(&line, &drop).await.is_err(), "there is no such line");
        line.create(&drop, &[("epoch", "1".to_owned()), ("rate", "60".to_owned())]).await.unwrap();
        card.note(Outcome::Late);
        card.report(&line, &drop).await.unwrap();
        card.report(&line, &drop).await.unwrap();
        let counts = line.watch(&drop, None, false).await.unwrap().1.counts;
        assert_eq!(counts.estimates, Outcomes { early: 0, right: 1, late: 1 });
    }
}
