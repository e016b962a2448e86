//! Which of the page's sections a fan sees.

/// A section of the page, by the name it has in the templates and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Face(pub(super) &'static str);

impl Face {
    /// The section for a document's state and reason. `queue.js` says the same.
    pub(super) fn of(state: &'static str, reason: Option<&str>, called: bool) -> Self {
        Self(match (state, reason) {
            ("paused", Some("covered")) if called => "covered-turn",
            ("paused", Some("covered")) => "covered",
            ("paused", _) if called => "paused-turn",
            ("lobby", Some("late")) => "late",
            ("called", Some("claim-waits")) => "claiming",
            ("left", Some("moved")) => "moved",
            ("ended", Some("session-over")) => "session-over",
            ("ended", Some("lapsed")) => "lapsed-out",
            (state, _) => state,
        })
    }

    /// Seconds until a page without scripts asks again; `None` when nothing will change.
    ///
    /// Not below `poll_after_s`, and longer where there is a button to press: a page that renews itself under
    /// a thumb, or under a screen reader, cannot be used.
    pub(super) fn refresh_s(self, poll_after_s: u64) -> Option<u64> {
        match self.0 {
            "finished" | "left" | "moved" | "session-over" | "lapsed-out" | "ended" => None,
            "called" | "lapsed" => Some(poll_after_s.max(20)),
            "admitted" | "sold_out" => Some(poll_after_s.max(30)),
            "claiming" | "drawing" => Some(poll_after_s.max(2)),
            _ => Some(poll_after_s.max(5)),
        }
    }

    /// How far along the way: 0 before the draw, 1 in line, 2 called, 3 inside; `None` off the way.
    pub(super) fn step(self) -> Option<u8> {
        match self.0 {
            "lobby" | "drawing" => Some(0),
            "late" | "waiting" | "paused" | "covered" | "restoring" => Some(1),
            "called" | "claiming" | "lapsed" | "paused-turn" | "covered-turn" => Some(2),
            "admitted" => Some(3),
            _ => None,
        }
    }

    /// Whether there is a place to leave.
    pub(super) fn may_leave(self) -> bool {
        self.step().is_some() || self.0 == "sold_out"
    }

    /// Whether the turn is still to come.
    pub(super) fn waits(self) -> bool {
        matches!(self.step(), Some(0 | 1)) || self.0 == "sold_out"
    }

    /// Whether the place can go to another device.
    pub(super) fn may_move(self) -> bool {
        matches!(
            self.0,
            "lobby" | "late" | "waiting" | "paused" | "covered" | "called" | "lapsed" | "paused-turn" | "covered-turn"
        )
    }

    /// The message that the tab says before the title of the drop.
    pub(super) fn tab(self) -> &'static str {
        match self.0 {
            "called" | "lapsed" => "tab-called",
            "claiming" => "tab-claiming",
            "admitted" => "tab-admitted",
            "lobby" | "late" => "tab-lobby",
            "drawing" => "tab-drawing",
            "paused" | "paused-turn" => "tab-paused",
            "covered" | "covered-turn" => "tab-covered",
            "sold_out" => "tab-sold-out",
            "finished" => "tab-finished",
            "left" => "tab-left",
            "moved" => "tab-moved",
            "session-over" | "lapsed-out" => "tab-over",
            "ended" => "tab-ended",
            _ => "tab-place",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_does_not_renew_itself_under_a_thumb() {
        assert_eq!(Face::of("called", None, true).refresh_s(1), Some(20));
        assert_eq!(Face::of("called", Some("claim-waits"), true).refresh_s(1), Some(2));
        assert_eq!(Face::of("waiting", None, false).refresh_s(10), Some(10));
        assert_eq!(Face::of("left", None, false).refresh_s(30), None);
        assert_eq!(Face::of("left", Some("moved"), false).refresh_s(30), None);
    }

    #[test]
    fn every_end_has_a_section_of_its_own() {
        let ends = ["session-over", "lapsed", "drop-ended"].map(|reason| Face::of("ended", Some(reason), false).0);
        assert_eq!(ends, ["session-over", "lapsed-out", "ended"]);
    }

    #[test]
    fn tickets_in_all_hands_are_no_ordinary_pause() {
        let paused = |reason, called| Face::of("paused", Some(reason), called).0;
        assert_eq!([paused("covered", false), paused("covered", true)], ["covered", "covered-turn"]);
        assert_eq!([paused("A minute", false), paused("A minute", true)], ["paused", "paused-turn"]);
    }

    #[test]
    fn a_place_moves_only_while_nobody_is_on_the_way_in() {
        assert!(Face("called").may_move() && Face("late").may_move());
        assert!(!Face("claiming").may_move() && !Face("admitted").may_move() && !Face("moved").may_move());
    }
}
