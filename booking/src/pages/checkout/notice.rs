//! What is said above a payment that is still to be made.

use super::time;

/// In a box; `tone` is the style sheet's name for it.
pub(super) struct Notice {
    pub(super) tone: &'static str,
    pub(super) title: &'static str,
    pub(super) text: String,
    /// Announced at once: something went wrong.
    pub(super) is_alert: bool,
}

impl Notice {
    pub(super) fn held_already() -> Self {
        Self {
            tone: "info",
            title: "You were holding these seats already.",
            text: "Pay for them, or give them back to choose others.".to_owned(),
            is_alert: false,
        }
    }

    pub(super) fn more_time(left: u32) -> Self {
        let text = match left {
            0 => "This was the last time they could be.".to_owned(),
            left => format!("If that is too short, you can ask {}.", time::times(left)),
        };
        Self { tone: "good", title: "Your seats are held for longer now.", text, is_alert: false }
    }

    pub(super) fn no_more_time() -> Self {
        Self {
            tone: "warn",
            title: "There is no more time to be had.",
            text: "Your seats are still held until the time above is over. Nobody can take them from you before."
                .to_owned(),
            is_alert: true,
        }
    }

    /// Why it failed, in words.
    pub(super) fn failed(why: &str) -> Self {
        Self {
            tone: "bad",
            title: "That did not work.",
            text: format!("{why} Your seats are still held."),
            is_alert: true,
        }
    }

    pub(super) fn limited() -> Self {
        Self {
            tone: "warn",
            title: "Too many payments from your network at once.",
            text: "Nothing was charged, and your seats are still held. Wait a few seconds and press the button again."
                .to_owned(),
            is_alert: true,
        }
    }
}
