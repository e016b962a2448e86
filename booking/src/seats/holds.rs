//! The hint in Redis: who loses learns it in one round trip and Postgres is spared.
//!
//! Nothing here is a promise. A lost, stale or slow answer makes Postgres decide alone; what Postgres then
//! refuses is marked here, and [`super::projection`] brings both together again.

mod caller;
mod keys;
mod together;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::Script;
use shared::redis::Redis;
use uuid::Uuid;

use super::chooser::{Choice, Returned};

use caller::Caller;
use together::{Answer, Together, Want, What};

/// A seat held here but not yet in Postgres becomes free after this long: more than a checkout
/// transaction can take, and all that a process killed in between can block.
const LEASE: Duration = Duration::from_secs(15);
/// What Redis says about seats that a fan has named.
#[derive(Debug, PartialEq)]
pub enum Hint {
    /// All are held for the owner.
    Held,
    /// These are taken.
    Taken(Vec<u32>),
    /// There is no projection of this event.
    Missing,
    /// Redis is down or too slow.
    Silent,
}

/// What Redis says about a block for each of many parties.
#[derive(Debug, PartialEq)]
pub(crate) enum Hints {
    /// Whose block is held, and, if somebody's is not, what is taken now.
    Decided { held: Vec<bool>, bitmap: Vec<u8> },
    /// There is no projection of this event, or Redis is down or too slow.
    Unknown,
}

/// The projection as it stands.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Empty when there is no projection.
    pub(crate) epoch: String,
    bitmap: Vec<u8>,
    /// Redis's clock, in milliseconds.
    pub(crate) now_ms: u64,
    /// Seats that belong to the line first.
    pub(crate) returned: Vec<Returned>,
}

impl Taken {
    /// Whether the same seats of the same projection are taken.
    pub(crate) fn is_like(&self, other: &Taken) -> bool {
        self.epoch == other.epoch && self.bitmap == other.bitmap
    }

    /// Takes over what a script saw; nothing where it had no reason to look.
    pub(crate) fn see(&mut self, bitmap: Vec<u8>) {
        if !bitmap.is_empty() {
            self.bitmap = bitmap;
        }
    }

    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        let byte = self.bitmap.get(ordinal as usize / 8).copied().unwrap_or(0);
        byte >> (7 - ordinal % 8) & 1 == 1
    }
}

/// The scripts, and how long they may take.
pub struct Holds {
    caller: Arc<Caller>,
    together: Together,
    hold_each: Script,
    peek: Script,
    correct: Script,
    rebuild: Script,
}

impl Holds {
    /// `budget`: how long any answer may take; none: Redis is not asked.
    pub fn new(budget: Duration) -> Self {
        let script = |body: &str| Script::new(&format!("{}\n{body}", include_str!("scripts/sweep.lua")));
        let caller = Arc::new(Caller::new(budget));
        Holds {
            together: Together::new(caller.clone(), script(include_str!("scripts/each.lua"))),
            caller,
            hold_each: script(include_str!("scripts/hold_each.lua")),
            peek: script(include_str!("scripts/peek.lua")),
            correct: script(include_str!("scripts/correct.lua")),
            rebuild: script(include_str!("scripts/rebuild.lua")),
        }
    }

    /// Holds seats that a fan has named, all or none, for [`LEASE`]. The same owner may ask again. Seats that came back
    /// after `admitted_at` and after `returned_since` are taken for this fan.
    pub async fn hold(
        &self,
        redis: &Redis,
        event_id: Uuid,
        owner: Uuid,
        ordinals: &[u32],
        [admitted_at, returned_since]: [Timestamp; 2],
    ) -> Hint {
        let returned_ms = admitted_at.as_millisecond().max(returned_since.as_millisecond());
        let want = Want {
            what: What::Hold { returned_ms },
            owner: owner.to_string(),
            free_after_ms: millis(LEASE),
            ordinals: ordinals.to_vec(),
        };
        match self.together.ask(redis, event_id, want).await {
            Some(Answer::Done) => Hint::Held,
            Some(Answer::Taken(taken)) => Hint::Taken(taken),
            Some(Answer::Missing) => Hint::Missing,
            None => Hint::Silent,
        }
    }

    /// Holds a block for each owner, in this order, each one's all or none, for [`LEASE`]; none, too, where others have
    /// been at its edges meanwhile and it would leave a single seat alone.
    pub(crate) async fn hold_each(&self, redis: &Redis, event_id: Uuid, asked: &[(Uuid, &Choice)]) -> Hints {
        let mut call = self.hold_each.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(millis(LEASE));
        for (owner, Choice { block, edges }) in asked {
            call.arg(owner.to_string()).arg(block.len()).arg(block.as_slice()).arg(edges.len());
            for edge in edges {
                call.arg(edge.near).arg(edge.beyond.map_or(-1, i64::from));
            }
        }
        let Some(answer) = self.caller.ask::<Vec<Vec<u8>>>(redis, &call).await else { return Hints::Unknown };
        let mut answer = answer.into_iter();
        let (Some(letters), Some(bitmap)) = (answer.next(), answer.next()) else { return Hints::Unknown };
        Hints::Decided { held: letters.into_iter().map(|letter| letter == b'h').collect(), bitmap }
    }

    /// Postgres gave the seats to `owner`, who keeps them until they are released or, with `keep`, for that long.
    pub async fn mark(&self, redis: &Redis, event_id: Uuid, owner: Uuid, ordinals: &[u32], keep: Option<Duration>) {
        let free_after_ms = keep.map_or(0, |keep| millis(keep).max(1));
        self.write_down(redis, event_id, owner.to_string(), ordinals, free_after_ms).await;
    }

    /// Postgres refused these seats; whose they are is not known here.
    pub(crate) async fn mark_taken(&self, redis: &Redis, event_id: Uuid, ordinals: &[u32]) {
        self.write_down(redis, event_id, "postgres".to_owned(), ordinals, 0).await;
    }

    async fn write_down(&self, redis: &Redis, event_id: Uuid, owner: String, ordinals: &[u32], free_after_ms: u64) {
        let want = Want { what: What::Mark, owner, free_after_ms, ordinals: ordinals.to_vec() };
        // a hint: the comparison with Postgres repairs what is missing
        self.together.ask(redis, event_id, want).await;
    }

    /// The owner gave the seats up. With `returned_at` they belong to the line first.
    pub(crate) async fn release(
        &self,
        redis: &Redis,
        event_id: Uuid,
        owner: Uuid,
        ordinals: &[u32],
        returned_at: Option<Timestamp>,
    ) {
        let want = Want {
            what: What::Release { returned_ms: returned_at.map_or(0, millisecond_after) },
            owner: owner.to_string(),
            free_after_ms: 0,
            ordinals: ordinals.to_vec(),
        };
        self.together.ask(redis, event_id, want).await;
    }

    /// `None` when Redis does not answer in time.
    pub(crate) async fn peek(&self, redis: &Redis, event_id: Uuid) -> Option<Taken> {
        self.look(redis, event_id, Timestamp::UNIX_EPOCH).await
    }

    /// As [`Self::peek`]; seats that came back before `returned_since` are anybody's.
    pub(crate) async fn look(&self, redis: &Redis, event_id: Uuid, returned_since: Timestamp) -> Option<Taken> {
        let mut call = self.peek.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(returned_since.as_millisecond());
        let (epoch, bitmap, now_ms, returned): (String, Vec<u8>, u64, Vec<String>) =
            self.caller.ask(redis, &call).await?;
        let returned = returned.chunks_exact(2).filter_map(|pair| {
            let at = Timestamp::from_millisecond(pair[1].parse().ok()?).ok()?;
            Some(Returned { ordinal: pair[0].parse().ok()?, at })
        });
        Some(Taken { epoch, bitmap, now_ms, returned: returned.collect() })
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
        self.caller.ask(redis, &call).await
    }

    /// Starts a projection with these seats taken and these returned, unless there is one.
    pub async fn rebuild(&self, redis: &Redis, event_id: Uuid, taken: &[u32], returned: &[Returned]) {
        let mut bitmap = vec![0_u8; taken.iter().max().map_or(0, |last| *last as usize / 8 + 1)];
        for ordinal in taken {
            bitmap[*ordinal as usize / 8] |= 0x80 >> (ordinal % 8);
        }
        let mut call = self.rebuild.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        call.arg(Uuid::new_v4().to_string()).arg(bitmap).arg(keys::IDLE_S);
        for seat in returned {
            call.arg(seat.ordinal).arg(millisecond_after(seat.at));
        }
        self.caller.ask::<u32>(redis, &call).await;
    }

    /// Redis was silent a moment ago: better not wait for it again.
    pub(crate) fn quiet(&self) -> bool {
        self.caller.is_quiet()
    }
}

fn add_keys(call: &mut redis::ScriptInvocation<'_>, redis: &Redis, event_id: Uuid) {
    for key in keys::of_event(redis.prefix(), event_id) {
        call.key(key);
    }
}

/// Rounded up: the hint must not give a seat away that Postgres still keeps.
fn millisecond_after(instant: Timestamp) -> i64 {
    let whole = instant.as_millisecond();
    if instant.subsec_nanosecond() % 1_000_000 == 0 { whole } else { whole + 1 }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::board::Edge;

    #[tokio::test]
    async fn each_party_gets_all_of_its_block_or_nothing() {
        let world = shared::testing::world().await;
        let (holds, event_id) = (Holds::new(Duration::from_secs(2)), Uuid::now_v7());
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        let [first, second, third] = [vec![1, 2], vec![2, 3], vec![4]].map(|block| Choice { block, edges: Vec::new() });
        let asked = [(one, &first), (two, &second), (three, &third)];
        assert_eq!(holds.hold_each(&world.redis, event_id, &asked).await, Hints::Unknown, "there is no projection");

        holds.rebuild(&world.redis, event_id, &[9], &[]).await;
        let mut look = holds.peek(&world.redis, event_id).await.unwrap();
        assert_eq!((0..12).filter(|seat| look.contains(*seat)).collect::<Vec<_>>(), [9]);
        let Hints::Decided { held, bitmap } = holds.hold_each(&world.redis, event_id, &asked).await else {
            panic!("Redis answers");
        };
        assert_eq!(held, [true, false, true]);
        look.see(bitmap);
        assert_eq!((0..12).filter(|seat| look.contains(*seat)).collect::<Vec<_>>(), [1, 2, 4, 9]);
        // the same owner may ask again, and nobody lost: there is nothing to see
        let again = holds.hold_each(&world.redis, event_id, &asked[..1]).await;
        assert_eq!(again, Hints::Decided { held: vec![true], bitmap: Vec::new() });
    }

    #[tokio::test]
    async fn a_seat_that_many_name_at_once_is_held_for_one() {
        const FANS: u128 = 600;
        let world = shared::testing::world().await;
        let (holds, now) = (Holds::new(Duration::from_secs(5)), [Timestamp::UNIX_EPOCH; 2]);
        let events = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for event_id in &events[..2] {
            holds.rebuild(&world.redis, *event_id, &[], &[]).await;
        }
        // two seats each, so that neighbours want one in common, in two events; some in one without a projection
        let asks =
            (0..FANS).map(|fan| {
                let seat = u32::try_from(fan / 6 % 50).unwrap();
                let event_id = events[usize::try_from(fan % 3).unwrap()];
                let (holds, redis) = (&holds, &world.redis);
                async move {
                    (event_id, seat, holds.hold(redis, event_id, Uuid::from_u128(fan), &[seat, seat + 1], now).await)
                }
            });
        let told = futures_util::future::join_all(asks).await;
        for event_id in &events[..2] {
            let look = holds.peek(&world.redis, *event_id).await.unwrap();
            let mut held = Vec::new();
            for (_, seat, hint) in told.iter().filter(|(event, ..)| event == event_id) {
                match hint {
                    Hint::Held => held.extend([*seat, seat + 1]),
                    Hint::Taken(taken) => {
                        assert!(!taken.is_empty() && taken.iter().all(|seat| look.contains(*seat)), "{taken:?}");
                    }
                    other => panic!("{other:?}"),
                }
            }
            held.sort_unstable();
            let of_all: Vec<u32> = (0..60).filter(|seat| look.contains(*seat)).collect();
            assert_eq!(held, of_all, "what was held, once each, is what Redis has");
            assert!(held.len() >= 2 * 17, "whoever finds two free seats gets them: {held:?}");
        }
        assert!(told.iter().filter(|(event, ..)| *event == events[2]).all(|(_, _, hint)| *hint == Hint::Missing));
    }

    #[tokio::test]
    async fn holds_and_releases_of_one_call_see_each_other() {
        let world = shared::testing::world().await;
        let (holds, event_id, now) = (Holds::new(Duration::from_secs(5)), Uuid::now_v7(), [Timestamp::UNIX_EPOCH; 2]);
        holds.rebuild(&world.redis, event_id, &[], &[]).await;
        let [one, two] = [1, 2].map(Uuid::from_u128);
        // they are polled in this order before the call goes out
        let hold = |owner, seats| holds.hold(&world.redis, event_id, owner, seats, now);
        let (first, again, other, (), then, both) = futures_util::join!(
            hold(one, &[1]),
            hold(one, &[1]),
            hold(two, &[1]),
            holds.release(&world.redis, event_id, one, &[1], None),
            hold(two, &[1]),
            hold(one, &[0, 1]),
        );
        assert_eq!([first, again], [Hint::Held, Hint::Held], "a request that comes twice");
        assert_eq!([other, then], [Hint::Taken(vec![1]), Hint::Held], "before it was given back, and after");
        assert_eq!(both, Hint::Taken(vec![1]));
    }

    #[tokio::test]
    async fn nobody_frees_the_seat_of_another() {
        let world = shared::testing::world().await;
        let (holds, event_id, now) = (Holds::new(Duration::from_secs(5)), Uuid::now_v7(), [Timestamp::UNIX_EPOCH; 2]);
        holds.rebuild(&world.redis, event_id, &[], &[]).await;
        let [one, two] = [1, 2].map(Uuid::from_u128);
        assert_eq!(holds.hold(&world.redis, event_id, one, &[1, 2], now).await, Hint::Held);
        holds.mark(&world.redis, event_id, one, &[2], None).await;
        let taken = async || {
            let look = holds.peek(&world.redis, event_id).await.unwrap();
            (0..4).filter(|seat| look.contains(*seat)).collect::<Vec<_>>()
        };
        // as a request does that comes back long after its hold has ended
        holds.release(&world.redis, event_id, two, &[1, 2], None).await;
        assert_eq!(taken().await, [1, 2]);
        holds.release(&world.redis, event_id, one, &[1, 2], None).await;
        assert!(taken().await.is_empty());
    }

    #[tokio::test]
    async fn who_goes_away_takes_nobody_along() {
        let world = shared::testing::world().await;
        let (holds, event_id, now) = (Holds::new(Duration::from_secs(5)), Uuid::now_v7(), [Timestamp::UNIX_EPOCH; 2]);
        holds.rebuild(&world.redis, event_id, &[], &[]).await;
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let mut first = Box::pin(holds.hold(&world.redis, event_id, one, &[1], now));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        assert_eq!(holds.hold(&world.redis, event_id, two, &[2], now).await, Hint::Held);
    }

    #[tokio::test]
    async fn a_block_is_not_held_where_it_would_leave_a_single_alone() {
        let world = shared::testing::world().await;
        let (holds, event_id) = (Holds::new(Duration::from_secs(2)), Uuid::now_v7());
        holds.rebuild(&world.redis, event_id, &[0, 1, 9], &[]).await;
        // another process has 0 and 1: between them and 3, seat 2 would be alone
        for (near, beyond, held) in [(2, Some(1), false), (2, None, false), (2, Some(5), true), (1, Some(0), true)] {
            let choice = Choice { block: vec![3, 4], edges: vec![Edge { near, beyond }] };
            let owner = Uuid::new_v4();
            let told = holds.hold_each(&world.redis, event_id, &[(owner, &choice)]).await;
            assert!(
                matches!(&told, Hints::Decided { held: told, .. } if *told == [held]),
                "{near} {beyond:?}: {told:?}"
            );
            holds.release(&world.redis, event_id, owner, &choice.block, None).await;
        }
    }

    #[tokio::test]
    async fn a_returned_seat_is_named_in_vain_by_who_was_inside_before() {
        let world = shared::testing::world().await;
        let (holds, event_id, owner) = (Holds::new(Duration::from_secs(2)), Uuid::now_v7(), Uuid::from_u128(1));
        let at = |second: i64| Timestamp::from_second(4_000_000_000 + second).unwrap();
        holds.rebuild(&world.redis, event_id, &[], &[]).await;
        let since = at(-120);
        let hold =
            async |admitted_at, since| holds.hold(&world.redis, event_id, owner, &[5], [admitted_at, since]).await;
        assert_eq!(hold(at(-10), since).await, Hint::Held);
        holds.release(&world.redis, event_id, owner, &[5], Some(at(0))).await;
        let look = holds.look(&world.redis, event_id, since).await.unwrap();
        assert_eq!((look.contains(5), look.returned), (false, vec![Returned { ordinal: 5, at: at(0) }]));
        assert_eq!(hold(at(-10), since).await, Hint::Taken(vec![5]));
        assert_eq!(hold(at(-10), at(1)).await, Hint::Held, "its time is over");
        holds.release(&world.redis, event_id, owner, &[5], Some(at(0))).await;
        assert_eq!(hold(at(0), since).await, Hint::Held, "let in since");
        assert!(holds.look(&world.redis, event_id, since).await.unwrap().returned.is_empty(), "somebody has it");
    }
}
