//! Joins and looks that wait together are sent together: one call with many members, no timer. While
//! a call is under way the next ones gather; a lone one goes at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::lifecycle::Lifecycle;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::ids::DropId;

use super::{Asker, DropState, Held, Joined, Line, LineError, Newcomer, PlaceState};

/// Members of one call: at some 5 µs each, the longest a script keeps Redis to itself is a millisecond or two.
const CALL_MAX: usize = 256;
/// Requests that may wait; beyond it a caller is turned away (it answers 503 and may come again).
const WAITING_MAX: usize = 65_536;

/// How long a request waits for its call. The call itself is answered or fails within 2 seconds, so nobody waits
/// longer than 5. Looked at when the call's turn comes: a timer for each request would cost more than the queue.
const WAIT_MAX: Duration = Duration::from_secs(3);

struct Ask {
    drop: DropId,
    since: Instant,
    what: What,
}

enum What {
    Join(Newcomer, Reply<(Held, Joined)>),
    PutBack(Newcomer, Reply<(Held, Joined)>),
    Look(Asker, Reply<(Held, PlaceState)>),
}

type Reply<T> = oneshot::Sender<Result<(Arc<DropState>, T), BatchError>>;

/// Why a batched call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No control in Redis: unknown drop, or lost and not yet restored.
    #[error("the line is not there, or being restored")]
    Restoring,
    /// Redis did not answer (logged where it was noticed, once for the whole call).
    #[error("the line cannot be reached")]
    Unavailable,
    #[error("too many requests wait for the line")]
    Full,
}

/// Gathers joins and looks of this process.
#[derive(Clone)]
pub struct Batcher {
    asks: mpsc::Sender<Ask>,
}

impl Batcher {
    /// Its worker ends with the last clone; should it die before, so does the process.
    pub fn new(line: Line, lifecycle: &Lifecycle) -> Self {
        let (asks, waiting) = mpsc::channel(WAITING_MAX);
        lifecycle.guard("line batcher", tokio::spawn(work(line, waiting)));
        Self { asks }
    }

    pub async fn join(&self, drop: &DropId, who: Newcomer) -> Result<(Arc<DropState>, (Held, Joined)), BatchError> {
        self.ask(drop, |reply| What::Join(who, reply)).await
    }

    /// See [`Line::put_back_held`].
    pub async fn put_back(&self, drop: &DropId, who: Newcomer) -> Result<(Arc<DropState>, (Held, Joined)), BatchError> {
        self.ask(drop, |reply| What::PutBack(who, reply)).await
    }

    pub async fn look(&self, drop: &DropId, asker: Asker) -> Result<(Arc<DropState>, (Held, PlaceState)), BatchError> {
        self.ask(drop, |reply| What::Look(asker, reply)).await
    }

    async fn ask<T>(
        &self,
        drop: &DropId,
        what: impl FnOnce(oneshot::Sender<Result<T, BatchError>>) -> What,
    ) -> Result<T, BatchError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { drop: drop.clone(), since: Instant::now(), what: what(reply) };
        self.asks.try_send(ask).map_err(|_| BatchError::Full)?;
        // an error here: the worker is gone
        answer.await.unwrap_or(Err(BatchError::Unavailable))
    }
}

/// What waits for one call, and who for its answer.
struct Call<A, T> {
    members: Vec<A>,
    replies: Vec<Reply<T>>,
    /// When the first of them came.
    since: Instant,
}

impl<A, T> Call<A, T> {
    fn new(since: Instant) -> Self {
        Self { members: Vec::new(), replies: Vec::new(), since }
    }

    fn add(&mut self, member: A, reply: Reply<T>) {
        self.members.push(member);
        self.replies.push(reply);
    }

    /// Calls, unless it is too late for whoever waits.
    async fn make(self, call: impl AsyncFnOnce(&[A]) -> Result<(DropState, Vec<T>), LineError>) {
        if self.since.elapsed() > WAIT_MAX {
            refuse(BatchError::Unavailable, self.replies);
        } else {
            hand_out(call(&self.members).await, self.replies);
        }
    }
}

async fn work(line: Line, mut waiting: mpsc::Receiver<Ask>) {
    let mut asks = Vec::with_capacity(CALL_MAX);
    while waiting.recv_many(&mut asks, CALL_MAX).await > 0 {
        let mut joins: HashMap<DropId, Call<Newcomer, (Held, Joined)>> = HashMap::new();
        let mut backs: HashMap<DropId, Call<Newcomer, (Held, Joined)>> = HashMap::new();
        let mut looks: HashMap<DropId, Call<Asker, (Held, PlaceState)>> = HashMap::new();
        for Ask { drop, since, what } in asks.drain(..) {
            match what {
                What::Join(who, reply) => joins.entry(drop).or_insert_with(|| Call::new(since)).add(who, reply),
                What::PutBack(who, reply) => backs.entry(drop).or_insert_with(|| Call::new(since)).add(who, reply),
                What::Look(asker, reply) => looks.entry(drop).or_insert_with(|| Call::new(since)).add(asker, reply),
            }
        }
        for (drop, call) in joins {
            call.make(async |who| line.join_held(&drop, who).await).await;
        }
        for (drop, call) in backs {
            call.make(async |who| line.put_back_held(&drop, who).await).await;
        }
        for (drop, call) in looks {
            call.make(async |askers| line.look_held(&drop, askers).await).await;
        }
    }
}

fn hand_out<T>(answer: Result<(DropState, Vec<T>), LineError>, replies: Vec<Reply<T>>) {
    match answer {
        Ok((state, answers)) => {
            let state = Arc::new(state);
            for (answer, reply) in answers.into_iter().zip(replies) {
                // a fan who went away no longer listens
                let _gone = reply.send(Ok((state.clone(), answer)));
            }
        }
        Err(error) => {
            let told = match &error {
                LineError::Restoring => BatchError::Restoring,
                other => {
                    tracing::error!(error = other as &dyn std::error::Error, waiting = replies.len(), "line");
                    BatchError::Unavailable
                }
            };
            refuse(told, replies);
        }
    }
}

fn refuse<T>(error: BatchError, replies: Vec<Reply<T>>) {
    for reply in replies {
        let _gone = reply.send(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waited_too_long_is_refused_and_not_called_for() {
        for (waited, told) in [(Duration::ZERO, Ok(7)), (2 * WAIT_MAX, Err(BatchError::Unavailable))] {
            let (reply, answer) = oneshot::channel();
            let mut call = Call::new(Instant::now() - waited);
            call.add((), reply);
            let mut called = false;
            call.make(async |members| {
                called = true;
                Ok((DropState::default(), members.iter().map(|()| 7).collect()))
            })
            .await;
            assert_eq!((answer.await.unwrap().map(|(_, answer)| answer), called), (told, told.is_ok()));
        }
    }
}
