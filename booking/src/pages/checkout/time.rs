//! How long the seats stay the fan's, for reading and for scripts.

use std::time::Duration;

use super::{Booking, When, words};
use crate::{
    app::App,
    error::Error,
    purchase::{expiry, extend},
};

/// Before its end a hold is said to be short, in seconds: WCAG 2.2.1 wants twenty at least to ask for more.
const WARN_S: i64 = 120;

pub(super) struct Time {
    /// When the hold ends.
    pub(super) ends: When,
    /// When the seats go even though a bank has not answered.
    pub(super) latest: When,
    /// How often the fan may ask for more.
    pub(super) extensions_left: u32,
    /// What asking once gives: `2 minutes`.
    pub(super) more: String,
    /// It ends soon.
    pub(super) is_short: bool,
    pub(super) warn_s: i64,
}

impl Time {
    /// By the clock of a place.
    ///
    /// # Errors
    /// A time past the year 9999.
    pub(super) fn of(app: &App, booking: &Booking, timezone: Option<&str>) -> Result<Self, Error> {
        let (now, ends) = (app.clock.now(), booking.expires_at());
        Ok(Self {
            ends: words::moment(ends, timezone),
            latest: words::moment(expiry::cap(app, booking)?, timezone),
            extensions_left: extend::left(app, booking),
            more: more(Duration::from_secs(app.settings.extension_s)),
            is_short: ends.duration_since(now).as_secs() <= WARN_S,
            warn_s: WARN_S,
        })
    }

    /// `9 more times`
    pub(super) fn times_left(&self) -> String {
        times(self.extensions_left)
    }
}

pub(super) fn times(left: u32) -> String {
    match left {
        1 => "once more".to_owned(),
        left => format!("{left} more times"),
    }
}

fn more(extension: Duration) -> String {
    match extension.as_secs() {
        seconds if seconds % 60 == 0 => words::counted(seconds / 60, "minute", "minutes"),
        seconds => words::counted(seconds, "second", "seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_told_as_set() {
        assert_eq!(more(Duration::from_secs(120)), "2 minutes");
        assert_eq!(more(Duration::from_secs(60)), "1 minute");
        assert_eq!(more(Duration::from_secs(90)), "90 seconds");
    }
}
