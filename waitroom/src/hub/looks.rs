//! Looks at the line for the hub: places are asked for together, a command for a few hundred of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use admission::{
    ids::DropId,
    line::{Asker, DropState, Held, Joined, Line, LineError, Newcomer, PlaceState, Receipt},
};
use futures_util::{StreamExt as _, stream};
use shared::lifecycle::Lifecycle;
use tokio::sync::mpsc;

use super::inbox::{Asked, Inbox, Looked, Message};

/// Places of one call: at some 5 µs each, the longest a script keeps Redis to itself is a millisecond or two.
const CALL_MAX: usize = 256;
/// Between two calls for who came or for everybody, so that joins and claims get their turn, and arrivals gather.
const CALM_PAUSE: Duration = Duration::from_millis(20);
/// Automatic claims under way at a time.
const CLAIMS_MAX: usize = 32;

/// Whose place is asked for. A stream has two such questions under way at most, a calm one and one that is urgent,
/// which bounds all of them.
pub(super) struct Ask {
    pub(super) asked: Asked,
    pub(super) asker: Asker,
    /// What they had when it was last looked at.
    pub(super) held: Held,
    /// Where the stream knows the place to be, should Redis have lost it.
    pub(super) receipt: Option<Receipt>,
}

/// The way to the line.
pub(super) struct Looks {
    pub(super) urgent: mpsc::UnboundedSender<(DropId, Vec<Ask>)>,
    pub(super) calm: mpsc::UnboundedSender<(DropId, Vec<Ask>)>,
    pub(super) claims: mpsc::UnboundedSender<(DropId, Ask)>,
}

impl Looks {
    /// Its workers end with the hub; should one die before, so does the process.
    pub(super) fn start(line: &Line, inbox: &Arc<Inbox>, lifecycle: &Lifecycle) -> Self {
        let (urgent, urgent_asks) = mpsc::unbounded_channel();
        let (calm, calm_asks) = mpsc::unbounded_channel();
        let (claims, claim_asks) = mpsc::unbounded_channel();
        let work = |asks, pause| tokio::spawn(look_for(line.clone(), inbox.clone(), asks, pause));
        lifecycle.guard("stream looks", work(urgent_asks, Duration::ZERO));
        lifecycle.guard("stream looks at all", work(calm_asks, CALM_PAUSE));
        lifecycle.guard("stream claims", tokio::spawn(claim_for(line.clone(), inbox.clone(), claim_asks)));
        Self { urgent, calm, claims }
    }

    /// Of those whom something happened to.
    pub(super) fn urgent(&self, drop: &DropId, asks: Vec<Ask>) {
        // the workers outlive the hub's thread, or the process is going down
        let _ending = self.urgent.send((drop.clone(), asks));
    }

    /// Of who came and of everybody, a few hundred at a time.
    pub(super) fn calm(&self, drop: &DropId, asks: Vec<Ask>) {
        let _ending = self.calm.send((drop.clone(), asks));
    }

    pub(super) fn claim(&self, drop: &DropId, ask: Ask) {
        let _ending = self.claims.send((drop.clone(), ask));
    }
}

async fn look_for(
    line: Line,
    inbox: Arc<Inbox>,
    mut asks: mpsc::UnboundedReceiver<(DropId, Vec<Ask>)>,
    pause: Duration,
) {
    let mut noted = Vec::new();
    // what was noted while a call was under way goes together into the next
    while asks.recv_many(&mut noted, usize::MAX).await > 0 {
        for (drop, asks) in by_drop(noted.drain(..)) {
            for asks in asks.chunks(CALL_MAX) {
                inbox.push(answer(&line, &drop, asks).await);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

fn by_drop(noted: impl Iterator<Item = (DropId, Vec<Ask>)>) -> BTreeMap<DropId, Vec<Ask>> {
    let mut asks: BTreeMap<DropId, Vec<Ask>> = BTreeMap::new();
    for (drop, mut more) in noted {
        asks.entry(drop).or_default().append(&mut more);
    }
    asks
}

async fn answer(line: &Line, drop: &DropId, asks: &[Ask]) -> Message {
    match look(line, drop, asks).await {
        Ok((state, places)) => {
            let answers = asks.iter().zip(places).map(|(ask, (held, place))| (ask.asked, held, place)).collect();
            Message::Looked(Box::new(Looked { drop: drop.clone(), state, answers }))
        }
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, %drop, "looking again");
            Message::Unanswered(asks.iter().map(|ask| ask.asked).collect())
        }
    }
}

/// The places as they stand. Those that Redis lost go back to where their streams know them to be.
async fn look(line: &Line, drop: &DropId, asks: &[Ask]) -> Result<(DropState, Vec<(Held, PlaceState)>), LineError> {
    let askers: Vec<Asker> = asks.iter().map(|ask| ask.asker).collect();
    let (state, mut places) = line.look_held(drop, &askers).await?;
    let (lost, newcomers): (Vec<usize>, Vec<Newcomer>) = asks
        .iter()
        .zip(&places)
        .enumerate()
        .filter(|(_, (ask, (_, place)))| *place == PlaceState::Unknown && ask.receipt.is_some())
        .map(|(i, (Ask { asker, receipt, .. }, _))| {
            let (place, visitor_hash) = (asker.own, asker.visitor_hash);
            (i, Newcomer { place, visitor_hash, receipt: *receipt, account: None })
        })
        .unzip();
    if newcomers.is_empty() {
        return Ok((state, places));
    }
    let (state, joined) = line.put_back_held(drop, &newcomers).await?;
    for (i, (held, joined)) in lost.into_iter().zip(joined) {
        if let Joined::New(place) | Joined::Known(place) = joined {
            places[i] = (held, place);
        }
    }
    Ok((state, places))
}

async fn claim_for(line: Line, inbox: Arc<Inbox>, mut asks: mpsc::UnboundedReceiver<(DropId, Ask)>) {
    let asks = stream::poll_fn(move |context| asks.poll_recv(context));
    asks.for_each_concurrent(CLAIMS_MAX, async |(drop, ask)| {
        inbox.push(match line.claim_held(&drop, &ask.held, &ask.asker).await {
            Ok((state, held, place)) => {
                Message::Looked(Box::new(Looked { drop, state, answers: vec![(ask.asked, held, place)] }))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, %drop, "automatic claim");
                Message::Unanswered(vec![ask.asked])
            }
        });
    })
    .await;
}
