//! Holds, marks and releases that wait together are sent together, in the order in which they came: one call with many
//! members, no timer. While a call is under way the next ones gather; a lone one goes at once.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Script;
use shared::redis::Redis;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::{add_keys, caller::Caller};

/// Members of one call: at some 5 µs a seat, the longest a script keeps Redis to itself is a few milliseconds.
const CALL_MAX: usize = 256;
/// Wants that may wait; beyond it Postgres decides alone, as when Redis is silent.
const WAITING_MAX: usize = 8_192;

/// What is to be done to seats of an event.
pub(super) struct Want {
    pub(super) what: What,
    /// A booking's id, or `postgres`.
    pub(super) owner: String,
    /// Milliseconds until they are free again by themselves; 0: never.
    pub(super) free_after_ms: u64,
    pub(super) ordinals: Vec<u32>,
}

pub(super) enum What {
    /// All of them or none. Seats that came back after this millisecond of booking's clock are taken.
    Hold {
        returned_ms: i64,
    },
    Mark,
    /// The owner gives them up; since this millisecond of booking's clock they belong to the line first (0: anybody's).
    Release {
        returned_ms: i64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// There is no projection of this event.
    Missing,
    Done,
    /// Nothing is held: these are taken.
    Taken(Vec<u32>),
}

/// Gathers what this process wants.
pub(super) struct Together {
    desk: Arc<Desk>,
}

struct Desk {
    caller: Arc<Caller>,
    script: Script,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    is_worked_on: bool,
}

struct Waiting {
    redis: Redis,
    event_id: Uuid,
    want: Want,
    since: Instant,
    reply: oneshot::Sender<Option<Answer>>,
}

impl Waiting {
    /// Nobody waits for the hold any more, or has waited as long as Redis may take. A mark or a release is due all the same.
    fn is_moot(&self, budget: Duration) -> bool {
        matches!(self.want.what, What::Hold { .. }) && (self.reply.is_closed() || self.since.elapsed() > budget)
    }
}

impl Together {
    pub(super) fn new(caller: Arc<Caller>, script: Script) -> Self {
        Self { desk: Arc::new(Desk { caller, script, queue: Mutex::default() }) }
    }

    /// `None` when Redis does not answer within the budget, or when too many wait; whoever waits for a call that is under
    /// way waits for that one, too: twice the budget at most, for a hold.
    pub(super) async fn ask(&self, redis: &Redis, event_id: Uuid, want: Want) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        match self.desk.enter(Waiting { redis: redis.clone(), event_id, want, since: Instant::now(), reply }) {
            Entered::First => {
                // a task of its own: whoever came first may go away, and the others still wait
                tokio::spawn(work(Working(self.desk.clone())));
            }
            Entered::Behind => {}
            Entered::Full => return None,
        }
        answer.await.ok().flatten()
    }
}

enum Entered {
    /// Somebody has to begin working.
    First,
    Behind,
    Full,
}

impl Desk {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, one: Waiting) -> Entered {
        let mut queue = self.queue();
        if queue.waiting.len() >= WAITING_MAX {
            return Entered::Full;
        }
        queue.waiting.push(one);
        if mem::replace(&mut queue.is_worked_on, true) { Entered::Behind } else { Entered::First }
    }

    /// The next ones; when there are none, the work is over.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        // who is left out is told nothing: his end of the channel closes
        queue.waiting.retain(|one| !one.is_moot(self.caller.budget()));
        let some = queue.waiting.len().min(CALL_MAX);
        queue.is_worked_on = some > 0;
        queue.waiting.drain(..some).collect()
    }

    async fn call(&self, event_id: Uuid, some: Vec<Waiting>) {
        let Some(Waiting { redis, .. }) = some.first() else { return };
        let mut call = self.script.prepare_invoke();
        add_keys(&mut call, redis, event_id);
        for Waiting { want, .. } in &some {
            let (letter, returned_ms) = match want.what {
                What::Hold { returned_ms } => ("h", returned_ms),
                What::Mark => ("m", 0),
                What::Release { returned_ms } => ("r", returned_ms),
            };
            call.arg(letter).arg(&want.owner).arg(want.free_after_ms).arg(returned_ms);
            call.arg(want.ordinals.len()).arg(want.ordinals.as_slice());
        }
        let answers: Option<Vec<String>> = self.caller.ask(redis, &call).await;
        let mut answers = answers.map(Vec::into_iter);
        let mut is_missing = false;
        for Waiting { reply, .. } in some {
            let answer = answers.as_mut().and_then(|answers| {
                let word = if is_missing { None } else { answers.next() };
                is_missing |= word.as_deref() == Some("missing");
                if is_missing { Some(Answer::Missing) } else { Answer::parse(&word?) }
            });
            // who went away no longer listens
            let _gone = reply.send(answer);
        }
    }
}

impl Answer {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "done" => Some(Answer::Done),
            ordinals => {
                ordinals.split_whitespace().map(|number| number.parse().ok()).collect::<Option<_>>().map(Answer::Taken)
            }
        }
    }
}

/// Works on a desk. Should it die, the next to come begins anew, and those who waited are told that nobody answers.
struct Working(Arc<Desk>);

impl Drop for Working {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.queue() = Queue::default();
        }
    }
}

/// Until nobody waits.
async fn work(working: Working) {
    let desk = &working.0;
    loop {
        let some = desk.next();
        if some.is_empty() {
            return;
        }
        let mut events: HashMap<Uuid, Vec<Waiting>> = HashMap::new();
        for one in some {
            events.entry(one.event_id).or_default().push(one);
        }
        let calls = events.into_iter().map(|(event_id, some)| desk.call(event_id, some));
        futures_util::future::join_all(calls).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_held_for_who_has_gone_or_waited_too_long() {
        let world = shared::testing::world().await;
        let budget = Duration::from_secs(60);
        let together = Together::new(Arc::new(Caller::new(budget)), Script::new(""));
        let mut answers = Vec::new();
        let mut enter = |what: What, waited: Duration| {
            let want = Want { what, owner: "a".to_owned(), free_after_ms: 1, ordinals: vec![1] };
            let (reply, answer) = oneshot::channel();
            let since = Instant::now() - waited;
            together.desk.enter(Waiting { redis: world.redis.clone(), event_id: Uuid::nil(), want, since, reply });
            answers.push(answer);
        };
        let hold = || What::Hold { returned_ms: 0 };
        enter(hold(), Duration::ZERO);
        enter(hold(), 2 * budget);
        enter(What::Mark, 2 * budget);
        enter(hold(), Duration::ZERO);
        answers.pop(); // goes away
        let some = together.desk.next();
        let left: Vec<bool> = some.iter().map(|one| matches!(one.want.what, What::Mark)).collect();
        assert_eq!(left, [false, true], "the hold that is waited for, and the mark");
        assert_eq!(answers.remove(1).await.ok(), None, "and Postgres decides alone");
    }
}
