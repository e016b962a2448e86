//! One call of a script within the budget, and none for a while after a silence.

use std::sync::Mutex;
use std::time::Duration;

use redis::ScriptInvocation;
use shared::redis::Redis;
use tokio::time::Instant;

/// After a silence Redis is not asked again for this long: not every fan should wait for the timeout.
const QUIET: Duration = Duration::from_millis(500);

pub(super) struct Caller {
    /// How long any answer may take; none: Redis is not asked.
    budget: Duration,
    quiet_until: Mutex<Option<Instant>>,
}

impl Caller {
    pub(super) fn new(budget: Duration) -> Self {
        Self { budget, quiet_until: Mutex::new(None) }
    }

    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    /// `None` on any failure, which is logged once a silence.
    pub(super) async fn ask<T: redis::FromRedisValue>(&self, redis: &Redis, call: &ScriptInvocation<'_>) -> Option<T> {
        // a timer of no time still gives Redis a millisecond
        if self.budget.is_zero() || self.is_quiet() {
            return None;
        }
        let mut connection = redis.clone();
        let failure = match tokio::time::timeout(self.budget, call.invoke_async(&mut connection)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(_) => anyhow::anyhow!("no answer within {} ms", self.budget.as_millis()),
        };
        tracing::warn!(error = format!("{failure:#}"), "seat holds: Postgres decides alone");
        metrics::counter!(crate::metrics::SEAT_HINT_SILENCES).increment(1);
        if let Ok(mut until) = self.quiet_until.lock() {
            *until = Some(Instant::now() + QUIET);
        }
        None
    }

    /// Redis was silent a moment ago.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet_until.lock().is_ok_and(|until| until.is_some_and(|until| Instant::now() < until))
    }
}
