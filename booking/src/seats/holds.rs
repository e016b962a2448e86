//! The hint in Redis: who loses learns it in one round trip and Postgres is spared.
//!
//! Nothing here is a promise. A lost, stale or slow answer makes Postgres decide alone; what Postgres then
//! refuses is marked here, and [`super::projection`] brings both together again.

mod keys;

use std::sync::Mutex;
use std::time::Duration;

use redis::Script;
use shared::redis::Redis;
use tokio::time::Instant;
use uuid::Uuid;

/// A seat held here but not yet in Postgres becomes free after this long: more than a checkout
/// transaction can take, and all that a process killed in between can block.
const LEASE: Duration = Duration::from_secs(15);
/// After a silence Redis is not asked again for this long: not every fan should wait for the timeout.
const QUIET: Duration = Duration::from_millis(500);

/// What Redis says about a wish for seats.
#[derive(Debug, PartialEq)]
pub(crate) enum Hint {
    /// All seats of this block (by index) are held for the owner.
    Held(usize),
    /// No block is free; of the first one, these ordinals are taken.
    Taken(Vec<u32>),
    /// There is no projection of this event.
    Missing,
    /// Redis is down or too slow.
    Silent,
}

/// The projection as it stands.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Empty when there is no projection.
    pub(crate) epoch: String,
    bitmap: Vec<u8>,
    /// Redis's clock, in milliseconds.
    pub(crate) now_ms: u64,
}

impl Taken {
    /// Whether the same seats of the same projection are taken.
    pub(crate) fn is_like(&self, other: &Taken) -> bool {
        self.epoch == other.epoch && self.bitmap == other.bitmap
    }

    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        let byte = self.bitmap.get(ordinal as usize / 8).copied().unwrap_or(0);
        byte >> (7 - ordinal % 8) & 1 == 1
    }
}

pub(crate) struct Holds {
    budget: Duration,
    quiet_until: Mutex<Option<Instant>>,
    hold: Script,
    mark: Script,
    release: Script,
    peek: Script,
    correct: Script,
    rebuild: Script,
}

impl Holds {
    /// `budget`: how long any answer may take.
    pub(crate) fn new(budget: Duration) -> Self {
        let script = |body: &str| Script::new(&format!("{}\n{body}", include_str!("scripts/sweep.lua")));
        Holds {
            budget,
            quiet_until: Mutex::new(None),
            hold: script(include_str!("scripts/hold.lua")),
            mark: script(include_str!("scripts/mark.lua")),
            release: script(include_str!("scripts/release.lua")),
            peek: script(include_str!("scripts/peek.lua")),
            correct: script(include_str!("scripts/correct.lua")),
            rebuild: script(include_str!("scripts/rebuild.lua")),
        }
    }

    /// Holds the first block that is wholly free, for [`LEASE`]. The same owner may ask again.
    pub(crate) async fn hold(&self, redis: &Redis, event_id: Uuid, owner: Uuid, blocks: &[Vec<u32>]) -> Hint {
        let mut call = self.hold.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(owner.to_string()).arg(millis(LEASE)).arg(blocks.len());
        for block in blocks {
            call.arg(block.len()).arg(block.as_slice());
        }
        let Some(answer) = self.ask::<Vec<String>>(redis, &call).await else { return Hint::Silent };
        let mut numbers = answer.iter().skip(1).filter_map(|number| number.parse::<u32>().ok());
        match answer.first().map(String::as_str) {
            Some("held") => numbers.next().map_or(Hint::Silent, |block| Hint::Held(block as usize)),
            Some("taken") => Hint::Taken(numbers.collect()),
            Some("missing") => Hint::Missing,
            _ => Hint::Silent,
        }
    }

    /// Postgres gave the seats to `owner`, who keeps them until they are released or, with `keep`, for that long.
    pub(crate) async fn mark(
        &self,
        redis: &Redis,
        event_id: Uuid,
        owner: Uuid,
        ordinals: &[u32],
        keep: Option<Duration>,
    ) {
        let mut call = self.mark.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(owner.to_string()).arg(keep.map_or(0, |keep| millis(keep).max(1))).arg(ordinals);
        self.ask::<u32>(redis, &call).await;
    }

    /// Postgres refused these seats; whose they are is not known here.
    pub(crate) async fn mark_taken(&self, redis: &Redis, event_id: Uuid, ordinals: &[u32]) {
        let mut call = self.mark.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg("postgres").arg(0).arg(ordinals);
        self.ask::<u32>(redis, &call).await;
    }

    /// The owner gave the seats up.
    pub(crate) async fn release(&self, redis: &Redis, event_id: Uuid, owner: Uuid, ordinals: &[u32]) {
        let mut call = self.release.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(owner.to_string()).arg(ordinals);
        self.ask::<u32>(redis, &call).await;
    }

    /// `None` when Redis does not answer in time.
    pub(crate) async fn peek(&self, redis: &Redis, event_id: Uuid) -> Option<Taken> {
        let mut call = self.peek.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        let (epoch, bitmap, now_ms): (String, Vec<u8>, u64) = self.ask(redis, &call).await?;
        Some(Taken { epoch, bitmap, now_ms })
    }

    /// Frees `free` where marked before `before_ms` and takes `take`, if the projection is still `epoch`.
    pub(crate) async fn correct(
        &self,
        redis: &Redis,
        event_id: Uuid,
        epoch: &str,
        before_ms: u64,
        free: &[u32],
        take: &[u32],
    ) -> Option<u32> {
        let mut call = self.correct.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(epoch).arg(before_ms).arg(keys::IDLE_S).arg(free.len()).arg(free).arg(take);
        self.ask(redis, &call).await
    }

    /// Starts a projection with these seats taken, unless there is one.
    pub(crate) async fn rebuild(&self, redis: &Redis, event_id: Uuid, taken: &[u32]) {
        let mut bitmap = vec![0_u8; taken.iter().max().map_or(0, |last| *last as usize / 8 + 1)];
        for ordinal in taken {
            bitmap[*ordinal as usize / 8] |= 0x80 >> (ordinal % 8);
        }
        let mut call = self.rebuild.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(Uuid::new_v4().to_string()).arg(bitmap).arg(keys::IDLE_S);
        self.ask::<u32>(redis, &call).await;
    }

    /// One call within the budget; `None` on any failure, which is logged once a silence.
    async fn ask<T: redis::FromRedisValue>(&self, redis: &Redis, call: &redis::ScriptInvocation<'_>) -> Option<T> {
        if self.quiet() {
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

    /// Redis was silent a moment ago: better not wait for it again.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet_until.lock().is_ok_and(|until| until.is_some_and(|until| Instant::now() < until))
    }
}

fn add_keys(call: &mut redis::ScriptInvocation<'_>, redis: &Redis, event_id: Uuid) {
    for key in keys::of_event(redis.prefix(), event_id) {
        call.key(key);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
