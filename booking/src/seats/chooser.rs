//! Chooses seats for everybody who waits at the moment, so that fans who want the best seats at the same instant
//! do not fight for the same ones: there is one order of service for each event and process.
//!
//! Wishes gather while the ones before are being served; no timer. A [`fast`] go looks at the hint in Redis once,
//! serves its parties one after the other on one board and holds all their seats in one script, each party's all or
//! none; who lost to another process is served again with what the script saw. Without Redis it reads Postgres
//! instead. Who finds nothing there, or was unlucky too often, comes to the [`last`] look, at what is committed and
//! under an order that all processes share: only that one says "sold out".
//!
//! An offer is not a sale. The checkout transaction decides, and its loser asks again.

mod fast;
mod last;
mod marks;
mod queue;

use std::sync::Arc;

use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

pub(crate) use marks::Mark;

use super::board::{Board, Edge, Spread, Wish};
use super::inventory::Inventory;
use crate::app::App;
use crate::error::{Error, Result};
use marks::Marks;
use queue::Queue;

/// Parties served in one go: with eight seats each some 2 ms of a script.
const PARTIES_MAX: usize = 64;
/// Parties of an event that may wait; who comes then is told to come back.
const WAITING_MAX: usize = 16_384;
/// Last looks of this process under way at once. Each keeps a connection while its parties need others.
const LAST_LOOKS_MAX: usize = 2;
/// The most often that the rows to look at are halved after losses: one row in eight.
const HALVINGS_MAX: u32 = 3;

/// A fan's wish with what it takes to serve it.
pub(crate) struct Ask {
    /// Whose the seats will be.
    pub(crate) owner: Uuid,
    pub(crate) wish: Wish,
    /// Seats that came back since are not for this fan yet.
    pub(crate) admitted_at: Timestamp,
    pub(crate) inventory: Arc<Inventory>,
    /// How often this fan was offered seats and others were faster.
    pub(crate) losses: u32,
}

/// Seats to try for.
pub(crate) struct Offer {
    /// Ordinals, ascending.
    pub(crate) block: Vec<u32>,
    /// Redis holds them for the owner.
    pub(crate) is_held: bool,
    /// Keep it until the decision is known: as long this process offers these seats to nobody else.
    pub(crate) mark: Mark,
}

/// Everybody who waits to be served, by event.
pub(crate) struct Chooser {
    // a desk takes a few hundred bytes, and there is one for each event somebody was admitted to buy from
    desks: DashMap<Uuid, Arc<Desk>>,
    last_looks: Semaphore,
}

impl Chooser {
    pub(crate) fn new() -> Self {
        Chooser { desks: DashMap::new(), last_looks: Semaphore::new(LAST_LOOKS_MAX) }
    }

    /// Seats by the quickest way, or `None` when none were found: then [`Self::last`] knows.
    pub(crate) async fn fast(&self, app: &App, event_id: Uuid, ask: Ask) -> Result<Option<Offer>> {
        let desk = self.desk(event_id);
        let (party, answer) = Party::new(ask);
        if desk.fast.push(party)? {
            tokio::spawn(serve_fast(app.clone(), desk));
        }
        answered(answer).await
    }

    /// Seats by the last look.
    ///
    /// # Errors
    /// `SoldOut`: there are not that many, whoever decides about them.
    pub(crate) async fn last(&self, app: &App, event_id: Uuid, ask: Ask) -> Result<Offer> {
        let desk = self.desk(event_id);
        let (party, answer) = Party::new(ask);
        if desk.last.push(party)? {
            tokio::spawn(serve_last(app.clone(), desk));
        }
        answered(answer).await?.ok_or(Error::SoldOut)
    }

    fn desk(&self, event_id: Uuid) -> Arc<Desk> {
        self.desks.entry(event_id).or_insert_with(|| Arc::new(Desk::new(event_id))).clone()
    }
}

/// One event's service in this process.
struct Desk {
    event_id: Uuid,
    fast: Queue<Party>,
    last: Queue<Party>,
    /// Seats offered here and not decided yet.
    marks: Arc<Marks>,
    /// Where general admission begins.
    salt: u64,
}

impl Desk {
    fn new(event_id: Uuid) -> Self {
        Desk { event_id, fast: Queue::new(), last: Queue::new(), marks: Arc::default(), salt: rand::random() }
    }
}

async fn serve_fast(app: App, desk: Arc<Desk>) {
    let mut shift = desk.fast.shift();
    while let Some(parties) = shift.next(PARTIES_MAX) {
        fast::go(&app, &desk, parties).await;
    }
}

async fn serve_last(app: App, desk: Arc<Desk>) {
    let mut shift = desk.last.shift();
    while let Some(parties) = shift.next(PARTIES_MAX) {
        let again = last::go(&app, &desk, parties).await;
        shift.put_back(again);
    }
}

/// A fan who waits for an answer.
struct Party {
    ask: Ask,
    reply: oneshot::Sender<Result<Option<Offer>>>,
}

type Answer = oneshot::Receiver<Result<Option<Offer>>>;

impl Party {
    fn new(ask: Ask) -> (Self, Answer) {
        let (reply, answer) = oneshot::channel();
        (Party { ask, reply }, answer)
    }

    /// Went away meanwhile.
    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }

    /// The offer, where nobody waits for it any more.
    fn answer(self, answer: Result<Option<Offer>>) -> Option<Offer> {
        self.reply.send(answer).err()?.ok()?
    }

    /// After losses it is better to look elsewhere.
    fn spread(&self) -> Spread {
        Spread { salt: rand::random(), halvings: self.ask.losses.min(HALVINGS_MAX) }
    }
}

async fn answered(answer: Answer) -> Result<Option<Offer>> {
    answer.await.unwrap_or_else(|_| Err(Error::Internal(anyhow::anyhow!("who chooses seats has died"))))
}

/// The same error for one more who waits.
fn again(error: &Error) -> Error {
    match error {
        Error::Crowded => Error::Crowded,
        Error::Unavailable(cause) => Error::Unavailable(anyhow::anyhow!("{cause:#}")),
        Error::Internal(cause) => Error::Internal(anyhow::anyhow!("{cause:#}")),
        other => Error::Internal(anyhow::anyhow!("{other}")),
    }
}

/// A seat that came back a moment ago and belongs to the line first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    pub ordinal: u32,
    pub at: Timestamp,
}

/// Seats for a party.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) block: Vec<u32>,
    /// Beside it nobody is to be left alone.
    pub(crate) edges: Vec<Edge>,
}

/// Seats for each party in the order in which they came; what one gets is taken for those behind. The board counts
/// `returned` seats as taken: who was admitted after their return may have them all the same.
fn assign(board: &mut Board<'_>, parties: &[Party], returned: &[Returned]) -> Vec<Option<Choice>> {
    let mut returned = returned.to_vec();
    let each = parties.iter().map(|party| {
        let theirs: Vec<u32> = returned_for(&returned, &party.ask).collect();
        board.give(&theirs);
        let chosen = board.choose(&party.ask.wish, party.spread());
        board.take(&theirs);
        let block = chosen?;
        board.take(&block);
        returned.retain(|seat| !block.contains(&seat.ordinal));
        Some(Choice { edges: board.edges(&block), block })
    });
    each.collect()
}

fn returned_for(returned: &[Returned], ask: &Ask) -> impl Iterator<Item = u32> {
    let admitted_at = ask.admitted_at;
    returned.iter().filter(move |seat| seat.at <= admitted_at).map(|seat| seat.ordinal)
}

/// The newest inventory among them: ordinals are the same in all.
fn inventory_of(parties: &[Party]) -> Option<Arc<Inventory>> {
    parties.last().map(|party| party.ask.inventory.clone())
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;
    use crate::seats::hall::{Hall, Pool, Seat};

    fn party(quantity: usize, admitted_at: Timestamp) -> Party {
        let wish = Wish { quantity, ..Wish::default() };
        let ask = Ask { owner: Uuid::nil(), wish, admitted_at, inventory: Arc::default(), losses: 0 };
        Party::new(ask).0
    }

    #[test]
    fn a_seat_that_came_back_goes_to_whom_the_line_let_in_since() {
        let seat = |ordinal| Seat { ordinal, tier: String::new(), price: 1, pool: Pool::Open, distance: ordinal };
        let hall = Hall::new(true, vec![(String::new(), (0..4).map(seat).collect())]);
        let back: Timestamp = "2099-05-01T20:00:00Z".parse().unwrap();
        let (before, after) = (back - 1.second(), back + 1.second());
        let returned = [0, 1].map(|ordinal| Returned { ordinal, at: back });
        let assigned = |parties: &[Party]| {
            let mut board = Board::new(&hall, vec![true; 4], 0);
            board.take(&[0, 1]);
            let choices = assign(&mut board, parties, &returned);
            choices.into_iter().map(|choice| Some(choice?.block)).collect::<Vec<_>>()
        };
        assert_eq!(assigned(&[party(2, before)]), [Some(vec![2, 3])]);
        assert_eq!(assigned(&[party(3, before)]), [None]);
        assert_eq!(assigned(&[party(2, after)]), [Some(vec![0, 1])]);
        assert_eq!(assigned(&[party(4, after)]), [Some(vec![0, 1, 2, 3])]);
        let mixed = assigned(&[party(1, after), party(2, before), party(1, after), party(1, after)]);
        assert_eq!(mixed, [Some(vec![0]), Some(vec![2, 3]), Some(vec![1]), None]);
    }

    #[test]
    fn what_is_offered_is_marked_until_all_who_try_are_done() {
        let marks = Arc::new(Marks::default());
        let one = Mark::new(&marks, &[1, 2, 3], None);
        let two = Mark::new(&marks, &[2], None);
        assert_eq!(marks.now(), [1, 2, 3].into());
        drop(one);
        assert_eq!(marks.now(), [2].into());
        drop(two);
        assert!(marks.now().is_empty());
    }
}
