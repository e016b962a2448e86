//! Joins and looks that wait together are sent together: one call with many members, no timer. While
//! a call is under way the next ones gather; a lone one goes at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::lifecycle::Lifecycle;
use tokio::sync::{mpsc, oneshot};

use crate::ids::DropId;

use super::{Asker, DropState, Held, Joined, Line, LineError, Newcomer, PlaceState};

/// Members of one call: at some 5 µs each, the longest a script keeps Redis to itself is a millisecond or two.
const CALL_MAX: usize = 256;
/// Requests that may wait; beyond it a caller is turned away (it answers 503 and may come again).
const WAITING_MAX: usize = 65_536;

/// How long a caller waits for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

enum Ask {
    Join(Newcomer, Reply<(Held, Joined)>),
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
    asks: mpsc::Sender<(DropId, Ask)>,
}

impl Batcher {
    /// Its worker ends with the last clone; should it die before, so does the process.
    pub fn new(line: Line, lifecycle: &Lifecycle) -> Self {
        let (asks, waiting) = mpsc::channel(WAITING_MAX);
        lifecycle.guard("line batcher", tokio::spawn(work(line, waiting)));
        Self { asks }
    }

    pub async fn join(&self, drop: &DropId, who: Newcomer) -> Result<(Arc<DropState>, (Held, Joined)), BatchError> {
        self.ask(drop, |reply| Ask::Join(who, reply)).await
    }

    pub async fn look(&self, drop: &DropId, asker: Asker) -> Result<(Arc<DropState>, (Held, PlaceState)), BatchError> {
        self.ask(drop, |reply| Ask::Look(asker, reply)).await
    }

    async fn ask<T>(
        &self,
        drop: &DropId,
        ask: impl FnOnce(oneshot::Sender<Result<T, BatchError>>) -> Ask,
    ) -> Result<T, BatchError> {
        let (reply, answer) = oneshot::channel();
        self.asks.try_send((drop.clone(), ask(reply))).map_err(|_| BatchError::Full)?;
        match tokio::time::timeout(ANSWER_MAX, answer).await {
            Ok(Ok(answer)) => answer,
            // too late for whoever waits, or the worker is gone
            Ok(Err(_)) | Err(_) => Err(BatchError::Unavailable),
        }
    }
}

async fn work(line: Line, mut waiting: mpsc::Receiver<(DropId, Ask)>) {
    let mut asks = Vec::with_capacity(CALL_MAX);
    while waiting.recv_many(&mut asks, CALL_MAX).await > 0 {
        let mut joins: HashMap<DropId, (Vec<Newcomer>, Vec<_>)> = HashMap::new();
        let mut looks: HashMap<DropId, (Vec<Asker>, Vec<_>)> = HashMap::new();
        for (drop, ask) in asks.drain(..) {
            match ask {
                Ask::Join(who, reply) => {
                    let (all, replies) = joins.entry(drop).or_default();
                    all.push(who);
                    replies.push(reply);
                }
                Ask::Look(asker, reply) => {
                    let (all, replies) = looks.entry(drop).or_default();
                    all.push(asker);
                    replies.push(reply);
                }
            }
        }
        for (drop, (who, replies)) in joins {
            hand_out(line.join_held(&drop, &who).await, replies);
        }
        for (drop, (askers, replies)) in looks {
            hand_out(line.look_held(&drop, &askers).await, replies);
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
            for reply in replies {
                let _gone = reply.send(Err(told));
            }
        }
    }
}
