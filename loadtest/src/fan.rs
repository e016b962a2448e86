//! One fan: joins, waits, claims, buys, goes.

mod account;
mod crowd;
mod line;
mod purchase;
mod seats;
mod wait;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use tokio::time::{Instant, sleep_until};

pub(crate) use crowd::Crowd;

use crate::{
    http::{Answer, Call, Client, Retry},
    plan::Plan,
    record::{Ending, FanRecord, Kind, Timed},
};

/// A simulated fan.
#[derive(Debug)]
pub(crate) struct Fan {
    crowd: Arc<Crowd>,
    plan: Plan,
    rng: SmallRng,
    client: Client,
    /// 32 bytes of this fan's own; the line knows the fan by them.
    visitor: String,
    session: String,
    record: FanRecord,
    line: line::Line,
}

impl Fan {
    /// A fan who has not done anything yet.
    pub(crate) fn new(crowd: Arc<Crowd>, plan: Plan) -> Self {
        // not drawn from the seed: a secret used in an earlier run has a place already
        let secret: [u8; 32] = rand::rng().random();
        Self {
            client: Client::new(crowd.target.clone(), crowd.target.origin(plan.number)),
            rng: SmallRng::seed_from_u64(plan.seed),
            visitor: BASE64_URL_SAFE_NO_PAD.encode(secret),
            session: String::new(),
            record: FanRecord { number: plan.number, ..FanRecord::default() },
            line: line::Line::default(),
            crowd,
            plan,
        }
    }

    /// The accounts are made; now the evening, with its own deadline and counts.
    pub(crate) fn enter(&mut self, crowd: Arc<Crowd>) {
        self.crowd = crowd;
    }

    /// From the arrival to the end. `start` is the moment the run began.
    pub(crate) async fn live(mut self, start: Instant) -> FanRecord {
        sleep_until(start + self.plan.arrival).await;
        let ending = match self.queue().await {
            Ok(token) => {
                self.crowd.tallies.admitted();
                self.buy(&token).await
            }
            Err(ending) => ending,
        };
        self.crowd.tallies.ended(&ending);
        self.record.ending = ending;
        self.record
    }

    /// Makes a call until it is answered with something other than a reason to wait, or the run is
    /// over.
    async fn call(&mut self, kind: Kind, call: &Call) -> Result<Answer, Ending> {
        for attempt in 0.. {
            let sent = Instant::now();
            let outcome = self.client.call(call).await;
            let retry = Retry::wanted(&outcome);
            if let (Ok(answer), None) = (outcome, retry) {
                self.timed(kind, sent);
                return Ok(answer);
            }
            if let Some(retry) = retry {
                self.again(retry, attempt).await?;
            }
        }
        Err(self.out_of_time())
    }

    /// Waits before the next attempt.
    async fn again(&mut self, retry: Retry, attempt: u32) -> Result<(), Ending> {
        *self.record.retries.entry(retry.because).or_default() += 1;
        let wait = retry.wait(attempt, &mut self.rng);
        self.rest(wait).await
    }

    /// Does nothing for a while.
    async fn rest(&mut self, wait: Duration) -> Result<(), Ending> {
        let until = Instant::now() + wait;
        if until >= self.crowd.deadline {
            sleep_until(self.crowd.deadline).await;
            return Err(self.out_of_time());
        }
        sleep_until(until).await;
        Ok(())
    }

    /// Rests for `least` to twice as long, so that fans do not march in step.
    async fn rest_about(&mut self, least: Duration) -> Result<(), Ending> {
        let wait = least.mul_f64(self.rng.random_range(1.0..2.0));
        self.rest(wait).await
    }

    fn timed(&mut self, kind: Kind, sent: Instant) {
        let took_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.record.calls.push(Timed { kind, took_us });
    }

    fn out_of_time(&self) -> Ending {
        Ending::TimedOut { state: self.record.heard.last().map(|heard| heard.state) }
    }
}

/// An end that no fan who stayed should meet.
fn lost(why: impl Into<String>) -> Ending {
    Ending::Lost { why: why.into() }
}
