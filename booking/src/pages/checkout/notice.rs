//! What is said above a payment that is still to be made.

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
