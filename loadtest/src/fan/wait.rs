//! Waiting: what a fan does about what it is told.

use std::time::Duration;

use rand::RngExt as _;
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{Fan, lost};
use crate::{
    protocol::{Document, State},
    record::Ending,
};

/// A claim that was taken is asked after when the stream has said nothing for this long.
const ASK_AFTER: Duration = Duration::from_secs(10);
/// A claim is not repeated sooner than this.
const CLAIM_AGAIN: Duration = Duration::from_secs(5);
/// A lost place is not joined again sooner than this.
const JOIN_AGAIN: Duration = Duration::from_secs(5);
/// A stream that ended without saying when to come back is opened again after about this long.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// A fan who refreshes does so after one of the first so many positions.
const REFRESH_WITHIN: u32 = 10;

/// What has to be remembered from one document to the next.
struct Patience {
    claimed: Option<Instant>,
    joined: Instant,
    /// Positions to come until the fan refreshes the page.
    refresh_in: Option<u32>,
}

impl Fan {
    /// From the join to the admission token.
    ///
    /// # Errors
    /// Any other end of the evening.
    pub(super) async fn queue(&mut self) -> Result<String, Ending> {
        let mut document = self.join().await?;
        if self.plan.asks_status {
            document = self.status().await?;
        }
        let mut patience = Patience {
            claimed: None,
            joined: Instant::now(),
            refresh_in: self.plan.refreshes.then(|| self.rng.random_range(1..=REFRESH_WITHIN)),
        };
        loop {
            if let Some(admission) = document.admission {
                self.line.stream = None;
                return Ok(admission.token);
            }
            document = match self.react(&document, &mut patience).await? {
                Some(next) => next,
                None => self.hear(&mut patience).await?,
            };
        }
    }

    /// Acts on a document without a token; the answer, when there was something to do.
    async fn react(&mut self, document: &Document, patience: &mut Patience) -> Result<Option<Document>, Ending> {
        let Some(state) = document.state else {
            return Ok(None);
        };
        let past = |moment: Option<Instant>, least| moment.is_none_or(|at| at.elapsed() >= least);
        match state {
            State::Called | State::Lapsed => {
                if self.plan.leaves_at.is_some() {
                    return Err(Ending::WentSilent);
                }
                if !past(patience.claimed, CLAIM_AGAIN) {
                    return Ok(None);
                }
                patience.claimed = Some(Instant::now());
                self.claim().await.map(Some)
            }
            State::Admitted => {
                // the token is in the status; soon, if not yet
                self.rest_about(LISTEN_AGAIN).await?;
                self.status().await.map(Some)
            }
            State::Restoring if past(Some(patience.joined), JOIN_AGAIN) => {
                patience.joined = Instant::now();
                self.rest_about(LISTEN_AGAIN).await?;
                self.join().await.map(Some)
            }
            State::SoldOut => Err(Ending::SoldOut),
            State::Ended if matches!(document.reason.as_deref(), None | Some("drop-ended")) => Err(Ending::DropEnded),
            State::Ended | State::Finished | State::Left => {
                let reason = document.reason.as_deref().unwrap_or("no reason given");
                Err(lost(format!("told {state:?} ({reason}) while waiting")))
            }
            State::Lobby | State::Drawing | State::Waiting | State::Paused | State::Restoring | State::Unknown => {
                Ok(None)
            }
        }
    }

    /// Listens until something other than a position is said.
    async fn hear(&mut self, patience: &mut Patience) -> Result<Document, Ending> {
        let ask_at = Instant::now() + ASK_AFTER;
        loop {
            let Some(stream) = &mut self.line.stream else {
                match self.listen().await? {
                    Some(document) => return Ok(document),
                    None => continue,
                }
            };
            let asks = patience.claimed.is_some();
            let event = select! {
                event = stream.next() => event,
                () = sleep_until(ask_at), if asks => {
                    return self.status().await;
                }
                () = sleep_until(self.crowd.deadline) => return Err(self.out_of_time()),
            };
            let Some(event) = event else {
                let wait = stream.retry().unwrap_or(LISTEN_AGAIN);
                self.line.stream = None;
                self.rest_about(wait.min(ASK_AFTER)).await?;
                continue;
            };
            let document = self.take_in(&event)?;
            if event.kind == "bye" {
                let wait = document.and_then(|document| document.retry_after_s);
                self.line.stream = None;
                let wait = Duration::from_secs_f64(wait.unwrap_or(1.0).clamp(0.0, 60.0));
                self.rest_about(wait).await?;
                continue;
            }
            if let Some(document) = document {
                return Ok(document);
            }
            if event.kind == "position" {
                self.tire()?;
                if self.refreshes(patience) {
                    self.line.stream = None;
                    return self.join().await;
                }
            }
        }
    }

    /// A fan who means to leave does so once the line before it has shrunk enough.
    fn tire(&self) -> Result<(), Ending> {
        let (Some(share), Some(first), Some(now)) = (self.plan.leaves_at, self.line.position_first, self.line.position)
        else {
            return Ok(());
        };
        if now as f64 <= first as f64 * share {
            return Err(Ending::WentSilent);
        }
        Ok(())
    }

    fn refreshes(&self, patience: &mut Patience) -> bool {
        match &mut patience.refresh_in {
            None => false,
            Some(1) => {
                patience.refresh_in = None;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}
