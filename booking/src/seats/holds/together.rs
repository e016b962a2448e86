//! Holds and marks that wait together are sent together: one call with many members, no timer. While a call is under way
//! the next ones gather; a lone one goes at once.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use redis::Script;
use shared::redis::Redis;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{add_keys, caller::Caller};

/// Members of one call: at some 5 µs each, the longest a script keeps Redis to itself is a millisecond or two.
const CALL_MAX: usize = 256;

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
    reply: oneshot::Sender<Option<Answer>>,
}

impl Together {
    pub(super) fn new(caller: Arc<Caller>, script: Script) -> Self {
        Self { desk: Arc::new(Desk { caller, script, queue: Mutex::default() }) }
    }

    /// `None` when Redis does not answer within the budget; whoever waits for a call that is under way waits for that one,
    /// too, and is told at once when it fails.
    pub(super) async fn ask(&self, redis: &Redis, event_id: Uuid, want: Want) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        if self.desk.enter(Waiting { redis: redis.clone(), event_id, want, reply }) {
            // a task of its own: whoever came first may go away, and the others still wait
            tokio::spawn(work(Working(self.desk.clone())));
        }
        answer.await.ok().flatten()
    }
}

impl Desk {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody has to begin working.
    fn enter(&self, one: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push(one);
        !mem::replace(&mut queue.is_worked_on, true)
    }

    /// The next ones; when there are none, the work is over.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
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
