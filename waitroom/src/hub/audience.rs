//! What all streams of one drop share.

use std::sync::Arc;

use admission::{
    ids::DropId,
    line::{DropState, Notice},
};

use super::{
    frames::{Frame, Kind},
    inbox::Ref,
    looks::Ask,
    stream::digest,
};
use crate::crowd::{Crowd, Tick};

pub(super) struct Audience {
    pub(super) drop: DropId,
    pub(super) crowd: Arc<Crowd>,
    /// The newest that is known of the drop.
    pub(super) state: DropState,
    /// Grows with every change of the state; from 1.
    pub(super) version: u32,
    pub(super) tick: Arc<Tick>,
    /// The operators' latest word, ready to be sent, and its digest.
    pub(super) notice: Option<(u64, Frame)>,
    pub(super) members: Vec<u32>,
    /// Everybody is to be told something: how many of the members, from the first, still are.
    pub(super) sweep: usize,
    /// The sweep is also over a pause that ended.
    pub(super) resumed: bool,
    /// Whose look failed, and whether it was urgent; the next tick tries again.
    pub(super) stale: Vec<(Ref, bool)>,
    /// Looks to ask for: of whom something happened to, and of everybody.
    pub(super) urgent: Vec<Ask>,
    pub(super) calm: Vec<Ask>,
}

/// What a newer state of the drop means for its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refreshed {
    /// All are to be told.
    pub(super) changed: bool,
    /// The rate is another, and so is every estimate.
    pub(super) rate: bool,
}

impl Audience {
    pub(super) fn new(drop: DropId, crowd: Arc<Crowd>) -> Self {
        let tick = crowd.tick();
        let mut audience = Self {
            drop,
            crowd,
            state: tick.drop.clone(),
            version: 1,
            tick,
            notice: None,
            members: Vec::new(),
            sweep: 0,
            resumed: false,
            stale: Vec::new(),
            urgent: Vec::new(),
            calm: Vec::new(),
        };
        audience.take_notice();
        audience
    }

    /// Takes over a newer state of the drop.
    pub(super) fn refresh(&mut self, state: &DropState) -> Refreshed {
        if state.now < self.state.now {
            return Refreshed { changed: false, rate: false };
        }
        let was_regathering = self.state.regathering();
        self.state.now = state.now;
        let changed = self.state != *state || was_regathering != state.regathering();
        let rate = self.state.rate_per_minute != state.rate_per_minute;
        if changed {
            self.version += 1;
            let before = std::mem::replace(&mut self.state, state.clone());
            self.resumed |= stands_still(&before) && !stands_still(state);
            self.sweep = self.members.len();
            self.take_notice();
        }
        Refreshed { changed, rate }
    }

    fn take_notice(&mut self) {
        self.notice = self.state.notice.as_ref().and_then(|notice: &Notice| {
            let mut frame = Frame::default();
            // without an id: the same for everybody, and what was shown last stays in the browser's memory
            frame.event(Kind::Notice, None, notice).ok()?;
            Some((digest(&notice.id), frame))
        });
    }
}

/// Whether deadlines wait.
fn stands_still(drop: &DropState) -> bool {
    drop.paused_at.is_some() || drop.covered
}
