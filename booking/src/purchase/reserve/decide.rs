//! Who gets what. Pure: the order of arrival is the order of the slice.

use std::collections::HashSet;

use super::look::{Facts, Seat, Seats};
use super::{Draft, Outcome, Wanted, Wish};
use crate::error::{Error, Result};
use crate::payments::PAYMENT_MAX;
use crate::purchase::counter::Step;
use crate::purchase::fees::{self, Fee};

/// What becomes of one wish.
#[derive(Debug)]
pub(super) enum Decided {
    Won(Win),
    Told(Result<Outcome>),
    /// Its seats came free behind our back: with the next batch.
    Again,
}

/// What a winner gets.
#[derive(Debug)]
pub(super) struct Win {
    /// Of the wish.
    pub(super) index: usize,
    pub(super) tickets: Vec<i64>,
    ordinals: Vec<u32>,
    /// Minor units: the tickets' prices and the fees.
    pub(super) total: i64,
    pub(super) fees: Vec<Fee>,
    /// The account's older place, which makes room.
    pub(super) ends: Option<String>,
    /// The place has a redemption.
    pub(super) was_redeemed: bool,
    /// The account has a limit in the drop.
    pub(super) was_limited: bool,
}

impl Decided {
    pub(super) fn win(&self) -> Option<&Win> {
        match self {
            Decided::Won(win) => Some(win),
            _ => None,
        }
    }

    pub(super) fn told(self) -> Step<Outcome> {
        match self {
            Decided::Won(win) => Step::Told(Ok(Outcome::Reserved(win.ordinals))),
            Decided::Told(told) => Step::Told(told),
            Decided::Again => Step::Again,
        }
    }
}

/// Whoever comes first wins, unless something else stands in the way: then the next one may.
pub(super) fn decide(wishes: &[Wish], facts: Vec<Facts>, seats: &Seats) -> Vec<Decided> {
    let mut given = HashSet::new();
    let mut decided = Vec::with_capacity(wishes.len());
    for (index, (wish, facts)) in wishes.iter().zip(facts).enumerate() {
        let one = Deciding { index, draft: &wish.draft, seats, given: &given };
        let one = one.decide(&wish.wanted, facts).unwrap_or_else(|refusal| Decided::Told(Err(refusal)));
        if let Decided::Won(win) = &one {
            given.extend(win.tickets.iter().copied());
        }
        decided.push(one);
    }
    decided
}

struct Deciding<'a> {
    index: usize,
    draft: &'a Draft,
    seats: &'a Seats,
    /// What the winners before this one get.
    given: &'a HashSet<i64>,
}

impl Deciding<'_> {
    fn decide(&self, wanted: &Wanted, facts: Facts) -> Result<Decided> {
        if facts.key_in_use {
            return Ok(Decided::Told(Ok(Outcome::KeyInUse)));
        }
        self.may_buy(&facts)?;
        let block = match wanted {
            Wanted::Exactly(block) if self.has(block) => block,
            Wanted::Exactly(block) => return Ok(self.refuse(block, &facts)),
            Wanted::FirstOf(blocks) => match blocks.iter().find(|block| self.has(block)) {
                Some(block) => block,
                None => return Ok(Decided::Told(Ok(Outcome::Taken(Vec::new())))),
            },
        };
        self.win(block, facts).map(Decided::Won)
    }

    /// One place, one account, one open booking.
    fn may_buy(&self, facts: &Facts) -> Result<()> {
        match facts.redeemed {
            Some(redeemed) if redeemed.owner != self.draft.user_id => {
                return Err(Error::PlaceBound("the place belongs to another account"));
            }
            Some(redeemed) if redeemed.has_ended => return Err(Error::PlaceEnded),
            _ if facts.other.is_some() && !facts.other_is_stale => {
                return Err(Error::PlaceBound("the account has another place in this drop"));
            }
            _ if facts.has_left => return Err(Error::PlaceEnded),
            _ => {}
        }
        facts.open.map_or(Ok(()), |booking_id| Err(Error::BookingOpen { booking_id }))
    }

    fn has(&self, block: &[i64]) -> bool {
        let has = |ticket: &i64| {
            self.seats
                .get(ticket)
                .is_some_and(|seat| seat.locked && self.is_free(*ticket, seat) && !self.is_too_dear(seat))
        };
        !block.is_empty() && block.iter().all(has)
    }

    fn is_free(&self, ticket: i64, seat: &Seat) -> bool {
        let is_of_the_event = seat.event_id == self.draft.event_id;
        seat.free && is_of_the_event && !self.given.contains(&ticket) && !self.is_for_others(seat)
    }

    /// Dearer than the fan said, and than it was when it was chosen.
    fn is_too_dear(&self, seat: &Seat) -> bool {
        self.draft.max_price.is_some_and(|most| seat.price > most)
    }

    /// A seat that came back belongs to fans admitted after its return, for a while.
    fn is_for_others(&self, seat: &Seat) -> bool {
        seat.returned_at.is_some_and(|returned_at| {
            let first_until = returned_at.saturating_add(self.draft.returned_first).unwrap_or(returned_at);
            // a token tells the second only
            returned_at.as_second() > self.draft.admitted_at.as_second() && first_until > self.draft.now
        })
    }

    fn refuse(&self, block: &[i64], facts: &Facts) -> Decided {
        let seats = block.iter().filter_map(|ticket| Some((*ticket, self.seats.get(ticket)?)));
        // whoever was waited for may have been the same fan, and have redeemed the place: the next look tells
        if facts.redeemed.is_none() && seats.clone().any(|(_, seat)| seat.locked && !seat.free) {
            return Decided::Again;
        }
        if seats.clone().any(|(_, seat)| self.is_too_dear(seat)) {
            // nobody has them: there is nothing to write down as taken
            return Decided::Told(Ok(Outcome::Taken(Vec::new())));
        }
        let mut taken: Vec<u32> =
            seats.filter(|(ticket, seat)| !self.is_free(*ticket, seat)).map(|(_, seat)| seat.ordinal).collect();
        taken.sort_unstable();
        // all of them there and free, but one was not when it was to be locked
        let missed = taken.is_empty() && block.iter().all(|ticket| self.seats.contains_key(ticket));
        if missed { Decided::Again } else { Decided::Told(Ok(Outcome::Taken(taken))) }
    }

    /// # Errors
    /// `Unpayable`: nothing is held for a fan who could never pay it. `Limit`.
    fn win(&self, block: &[i64], facts: Facts) -> Result<Win> {
        let mut tickets = block.to_vec();
        tickets.sort_unstable();
        let seats: Vec<&Seat> = tickets.iter().filter_map(|ticket| self.seats.get(ticket)).collect();
        let quantity = u32::try_from(tickets.len()).map_err(anyhow::Error::from)?;
        let prices = seats.iter().try_fold(0_i64, |sum, seat| sum.checked_add(seat.price));
        let fees = fees::itemise(&self.draft.sale.fees, quantity, prices.unwrap_or(0));
        let total = fees.iter().fold(prices, |sum, fee| sum?.checked_add(fee.amount));
        let payable = total.filter(|total| (1..=PAYMENT_MAX).contains(total));
        let total = payable.ok_or(Error::Unpayable { max: PAYMENT_MAX })?;
        if i64::from(facts.quantity.unwrap_or(0)) + i64::from(quantity) > i64::from(self.draft.sale.max_per_fan) {
            return Err(Error::Limit);
        }
        let ordinals = seats.iter().map(|seat| seat.ordinal).collect();
        Ok(Win {
            index: self.index,
            tickets,
            ordinals,
            total,
            fees,
            ends: facts.other,
            was_redeemed: facts.redeemed.is_some(),
            was_limited: facts.quantity.is_some(),
        })
    }
}
