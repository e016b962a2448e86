//! The one source of time.
//!
//! Real time is read here and nowhere else (`clippy.toml` bans the rest), so that a test
//! decides what time it is. A request or a tick reads the clock once and passes `now` on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// Tells the time: the system's, or a test's.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is advanced. Clones share the time.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(start))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
            Source::System => Timestamp::now(),
            Source::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock forward by `by`.
    ///
    /// # Panics
    /// On the system's clock, and past the year 9999.
    pub fn advance(&self, by: Duration) {
        let Source::Manual(time) = &self.0 else { panic!("only a manual clock can be advanced") };
        let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
        *time = time.checked_add(by).expect("a test's clock stays before the year 10000");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_advanced_and_clones_share_it() {
        let start: Timestamp = "2026-06-01T10:00:00Z".parse().unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        assert_eq!(clock.now(), start);
        other.advance(Duration::from_millis(1500));
        assert_eq!(clock.now().to_string(), "2026-06-01T10:00:01.5Z");
    }

    #[test]
    #[should_panic(expected = "only a manual clock")]
    fn the_systems_clock_cannot_be_moved() {
        Clock::system().advance(Duration::from_secs(1));
    }
}
