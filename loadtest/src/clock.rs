//! The wall clock, read in one place.

use jiff::Timestamp;

/// Microseconds since 1970 on this machine's wall clock: the unit of everything a fan writes down,
/// because the line's own stamps (`admitted_at`) are microseconds of Redis's wall clock.
///
/// A load test has no manual clock: it measures a real server, and shares no code with it.
#[expect(
    clippy::disallowed_methods,
    reason = "the only reading of the clock in this crate; the services' Clock is not ours to use"
)]
pub(crate) fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}
