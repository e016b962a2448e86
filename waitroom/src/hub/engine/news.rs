//! What the process tells the hub: streams that come, news of the line, places as they stand.

use std::time::{Duration, Instant};

use admission::line::{DropState, PlaceState};

use super::{Engine, count_end};
use crate::hub::{
    audience::Audience,
    cadence::look_every,
    entries::{Entry, Looking},
    inbox::{Arrival, Asked, Looked, News, Ref},
    looks::Ask,
};

/// Another rate, and so another estimate, is told to all within this time.
const RATE_SPREAD: Duration = Duration::from_secs(2);
/// From the call to being told: more is another clock or a window that was changed.
const CALL_TOLD_MAX_US: u64 = 600_000_000;

impl Engine {
    pub(super) fn arrived(&mut self, arrival: Arrival) {
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
        self.schedule_within(index, look_every);
        if self.stopping.is_some() {
            return self.leaving.push(index);
        }
        // of what happens from here on there is news, of what happened since the first document there is not
        self.ask_for(index, false);
        self.touched(index, true);
        self.pump(index);
    }

    pub(super) fn news(&mut self, news: News) {
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
            for (stream, urgent) in std::mem::take(&mut self.audiences[number as usize].stale) {
                if self.entries.find(stream).is_some() {
                    self.ask_for(stream.index, urgent);
                }
            }
        }
    }

    /// Takes over what is known of a drop; what follows from it is told in slices.
    pub(super) fn refresh(&mut self, number: u32, state: &DropState) {
        if self.audiences[number as usize].refresh(state).rate {
            for index in self.audiences[number as usize].members.clone() {
                if self.entries.get_mut(index).is_some_and(|entry| entry.stream.is_waiting()) {
                    self.schedule_within(index, |_| RATE_SPREAD);
                }
            }
        }
    }

    pub(super) fn looked(&mut self, looked: Looked) {
        let Some(&number) = self.by_drop.get(&looked.drop) else { return };
        self.refresh(number, &looked.state);
        let (called, others): (Vec<_>, Vec<_>) =
            looked.answers.into_iter().partition(|(.., place)| matches!(place, PlaceState::Called { .. }));
        let answered = Instant::now();
        for (Asked { stream, number: asked }, held, place) in called.into_iter().chain(others) {
            let Some(entry) = self.entries.find(stream).filter(|entry| entry.asked == asked) else { continue };
            let was = std::mem::replace(&mut entry.looking, Looking::No);
            let before = entry.stream.listens_for();
            let news = entry.stream.looked(&looked.state, (held, place), was == Looking::Again);
            let wants_claim = entry.stream.wants_claim(&looked.state) && !(was == Looking::Claim && news.same);
            let (listens_for, epoch) = (entry.stream.listens_for(), entry.stream.epoch());
            self.entries.rehang(stream.index, before, listens_for);
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
            if was == Looking::Again {
                self.ask_for(stream.index, true);
            } else if epoch != self.audiences[number as usize].state.epoch {
                self.ask_for(stream.index, false); // the answer crossed a restoring
            } else if wants_claim && self.stopping.is_none() {
                self.claim(stream.index);
            }
        }
    }

    pub(super) fn claim(&mut self, index: u32) {
        let stream = self.entries.reference(index);
        if let Some(entry) = self.entries.get_mut(index) {
            let ask = ask(entry, stream, Looking::Claim);
            self.looks.claim(&self.audiences[entry.audience as usize].drop, ask);
        }
    }

    pub(super) fn unanswered(&mut self, asked: &[Asked]) {
        for &Asked { stream, number } in asked {
            if let Some(entry) = self.entries.find(stream).filter(|entry| entry.asked == number) {
                let urgent = std::mem::replace(&mut entry.looking, Looking::No) != Looking::Calm;
                entry.stream.unanswered();
                self.audiences[entry.audience as usize].stale.push((stream, urgent));
            }
        }
    }

    /// Notes that a place is to be looked at: at once, or with everybody else.
    pub(super) fn ask_for(&mut self, index: u32, urgent: bool) {
        let stream = self.entries.reference(index);
        let Some(entry) = self.entries.get_mut(index) else { return };
        let audience = &mut self.audiences[entry.audience as usize];
        match (entry.looking, urgent) {
            (Looking::No, false) => audience.calm.push(ask(entry, stream, Looking::Calm)),
            // the answer to a calm look that is under way is not waited for, and no longer counts
            (Looking::No | Looking::Calm, true) => audience.urgent.push(ask(entry, stream, Looking::Urgent)),
            (_, true) => entry.looking = Looking::Again,
            (_, false) => {}
        }
    }

    /// Sends the looks that were noted.
    pub(super) fn ask(&mut self) {
        for audience in &mut self.audiences {
            if !audience.urgent.is_empty() {
                self.looks.urgent(&audience.drop, std::mem::take(&mut audience.urgent));
            }
            if !audience.calm.is_empty() {
                self.looks.calm(&audience.drop, std::mem::take(&mut audience.calm));
            }
        }
    }
}

/// The next question about a stream's place.
fn ask(entry: &mut Entry, stream: Ref, looking: Looking) -> Ask {
    entry.looking = looking;
    entry.asked = entry.asked.wrapping_add(1);
    entry.stream.ask(Asked { stream, number: entry.asked })
}
