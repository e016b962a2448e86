//! Which of the page's sections a fan sees.

/// A section of the page, by the name it has in `queue.html` and `queue.js`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Face(pub(super) &'static str);

impl Face {
    /// The section for a document's state and reason. `queue.js` says the same.
    pub(super) fn of(state: &'static str, reason: Option<&str>, called: bool) -> Self {
        Self(match (state, reason) {
            ("paused", _) if called => "paused-turn",
            ("called", Some("claim-waits")) => "claiming",
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
            "finished" | "left" | "session-over" | "lapsed-out" | "ended" => None,
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
            "waiting" | "paused" | "restoring" => Some(1),
            "called" | "claiming" | "lapsed" | "paused-turn" => Some(2),
            "admitted" => Some(3),
            _ => None,
        }
    }

    /// Whether there is a place to leave.
    pub(super) fn may_leave(self) -> bool {
        self.step().is_some() || self.0 == "sold_out"
    }

    /// What the tab says before the title of the drop.
    pub(super) fn tab(self, position: Option<&str>) -> String {
        match (self.0, position) {
            ("called" | "lapsed", _) => "Your turn!".to_owned(),
            ("claiming", _) => "At the door".to_owned(),
            ("admitted", _) => "You’re in".to_owned(),
            ("waiting", Some(position)) => format!("{position} in line"),
            ("lobby", _) => "Lobby".to_owned(),
            ("paused" | "paused-turn", _) => "Paused".to_owned(),
            ("sold_out", _) => "Sold out".to_owned(),
            ("finished", _) => "You have your tickets".to_owned(),
            ("left", _) => "You left the line".to_owned(),
            ("session-over" | "lapsed-out", _) => "Your turn is over".to_owned(),
            ("ended", _) => "Sale over".to_owned(),
            _ => "Your place in line".to_owned(),
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
    }

    #[test]
    fn every_end_has_a_section_of_its_own() {
        let ends = ["session-over", "lapsed", "drop-ended"].map(|reason| Face::of("ended", Some(reason), false).0);
        assert_eq!(ends, ["session-over", "lapsed-out", "ended"]);
    }
}
