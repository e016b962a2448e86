//! One lane: takes what waits, decides about it together, answers everybody.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{Error, Result};

/// Bookings decided about together.
pub(super) const BATCH_MAX: usize = 256;
/// How long somebody waits for his batch; who waited longer is told to come back.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a failed batch may take up its lane with finding out who was to blame.
const BLAME_MAX: Duration = Duration::from_secs(5);
/// How often somebody goes into the next batch before he is told to come back.
const AGAIN_MAX: u32 = 8;

/// What a lane decides about, and how.
pub(super) trait Desk: Send + Sync + 'static {
    type Ask: Send + Sync + 'static;
    type Told: Send + 'static;

    /// Asks with a mark in common are decided one after the other.
    fn marks(&self, ask: &Self::Ask) -> [u64; 2];

    /// Decides about all of them in one transaction, about each on its own; one step each, in their order.
    fn decide(&self, asks: &[Self::Ask]) -> impl Future<Output = Batch<Self::Told>> + Send;

    /// Whether somebody has overtaken one of them between its look and its writing: its next look sees that.
    fn is_overtaken(error: &sqlx::Error) -> bool;

    /// What it means that the database refuses one ask alone.
    fn refusal(error: sqlx::Error) -> Error;
}

/// What became of one ask.
#[derive(Debug)]
pub(crate) enum Step<T> {
    Told(Result<T>),
    /// Nothing yet: it goes into the next batch.
    Again,
}

/// One step for each of a batch, in their order.
pub(crate) type Batch<T> = std::result::Result<Vec<Step<T>>, Failure>;

/// Why nothing of a batch was committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Fewer rows changed than were decided about.
    Torn,
    Store(sqlx::Error),
    Other(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Store(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl Failure {
    /// Without the database's detail, which names accounts and keys.
    fn why(&self) -> String {
        match self {
            Failure::Torn => "fewer rows changed than were decided about".to_owned(),
            Failure::Store(error) => error.to_string(),
            Failure::Other(error) => error.to_string(),
        }
    }

    /// Whether fewer at a time may fare better: not when the database itself is the trouble.
    fn has_a_culprit(&self) -> bool {
        match self {
            Failure::Torn | Failure::Other(_) => true,
            Failure::Store(error) => {
                error.as_database_error().is_some() && !matches!(told(error), Error::Unavailable(_))
            }
        }
    }
}

fn told(error: &sqlx::Error) -> Error {
    // the original goes to one, if to anybody
    match error.as_database_error().and_then(|refusal| refusal.code()) {
        Some(code) if crate::error::is_crowded(&code) => Error::Crowded,
        _ if shared::postgres::is_unavailable(error) => Error::Unavailable(anyhow!("{error}")),
        _ => Error::Internal(anyhow!("{error}")),
    }
}

/// Somebody who waits.
pub(super) struct Waiting<D: Desk> {
    ask: D::Ask,
    reply: oneshot::Sender<Result<D::Told>>,
    since: Instant,
    /// How often he was put off.
    again: u32,
}

impl<D: Desk> Waiting<D> {
    pub(super) fn new(ask: D::Ask, reply: oneshot::Sender<Result<D::Told>>) -> Self {
        Self { ask, reply, since: Instant::now(), again: 0 }
    }

    fn tell(self, told: Result<D::Told>) {
        // who went away no longer listens; what was decided stands
        let _gone = self.reply.send(told);
    }
}

/// Until the last handle on the lane is gone.
pub(super) async fn work<D: Desk>(desk: D, mut incoming: mpsc::Receiver<Waiting<D>>) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    loop {
        if waiting.is_empty() && incoming.recv_many(&mut waiting, BATCH_MAX).await == 0 {
            return;
        }
        // whoever is about to ask, because the last batch has just been answered, comes along
        tokio::task::yield_now().await;
        while waiting.len() < BATCH_MAX
            && let Ok(next) = incoming.try_recv()
        {
            waiting.push(next);
        }
        let (batch, mut later) = gather(&desk, std::mem::take(&mut waiting));
        // who was put off comes before who has not had a turn yet
        waiting = decide(&desk, batch).await;
        waiting.append(&mut later);
    }
}

/// Who is decided about now, and who in the next batch. Nobody overtakes somebody with whom he shares a mark.
fn gather<D: Desk>(desk: &D, waiting: Vec<Waiting<D>>) -> (Vec<Waiting<D>>, Vec<Waiting<D>>) {
    let mut seen = HashSet::with_capacity(2 * waiting.len());
    let (mut batch, mut later) = (Vec::with_capacity(waiting.len()), Vec::new());
    for one in waiting {
        if one.reply.is_closed() {
            continue; // gone before anything was done for him
        }
        if one.since.elapsed() > WAIT_MAX {
            one.tell(Err(Error::Crowded));
            continue;
        }
        let mut alone = true;
        for mark in desk.marks(&one.ask) {
            alone &= seen.insert(mark);
        }
        if alone { batch.push(one) } else { later.push(one) }
    }
    (batch, later)
}

/// Answers everybody but those it returns, who go into the next batch.
async fn decide<D: Desk>(desk: &D, batch: Vec<Waiting<D>>) -> Vec<Waiting<D>> {
    let (mut asks, mut others) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for Waiting { ask, reply, since, again } in batch {
        asks.push(ask);
        others.push((reply, since, again));
    }
    if asks.is_empty() {
        return Vec::new();
    }
    let steps = steps(desk, &asks).await;
    let mut later = Vec::new();
    for ((ask, (reply, since, again)), step) in asks.into_iter().zip(others).zip(steps) {
        let one: Waiting<D> = Waiting { ask, reply, since, again: again + 1 };
        match step {
            Step::Told(told) => one.tell(told),
            Step::Again if one.again > AGAIN_MAX => one.tell(Err(Error::Crowded)),
            Step::Again => later.push(one),
        }
    }
    later
}

/// A batch that fails is halved until what fails stands alone.
async fn steps<D: Desk>(desk: &D, asks: &[D::Ask]) -> Vec<Step<D::Told>> {
    let began = Instant::now();
    let mut steps = Vec::with_capacity(asks.len());
    let mut parts = vec![asks]; // the next one last
    while let Some(part) = parts.pop() {
        let failure = match desk.decide(part).await {
            Ok(some) => {
                steps.extend(some);
                continue;
            }
            Err(failure) => failure,
        };
        tracing::info!(why = failure.why(), bookings = part.len(), "nothing of a batch was committed");
        match failure {
            failure if part.len() > 1 && failure.has_a_culprit() && began.elapsed() < BLAME_MAX => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Failure::Torn => steps.extend(part.iter().map(|_| Step::Again)),
            Failure::Store(error) if D::is_overtaken(&error) => steps.extend(part.iter().map(|_| Step::Again)),
            Failure::Store(error) if part.len() == 1 => steps.push(Step::Told(Err(D::refusal(error)))),
            Failure::Other(error) if part.len() == 1 => steps.push(Step::Told(Err(error))),
            Failure::Store(error) => steps.extend(part.iter().map(|_| Step::Told(Err(told(&error))))),
            Failure::Other(_) => steps.extend(part.iter().map(|_| Step::Told(Err(Error::Crowded)))),
        }
    }
    steps
}
