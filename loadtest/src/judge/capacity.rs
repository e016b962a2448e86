//! Sold ≤ capacity, for each event.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::inquiry::{Check, Inquiry};
use crate::{books::Books, report::count};

#[derive(Default)]
struct Event {
    capacity: i64,
    purchased: i64,
    /// The quantities that the completed bookings claim for themselves.
    booked: i64,
}

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of("capacity", "no more tickets are sold than there are");
    let mut events: BTreeMap<Uuid, Event> = BTreeMap::new();
    let mut event_of = BTreeMap::new();
    for ticket in &books.tickets {
        let event = events.entry(ticket.event_id).or_default();
        event.capacity += i64::from(ticket.status != "cancelled");
        event.purchased += i64::from(ticket.status == "purchased");
        event_of.insert(ticket.ticket_id, ticket.event_id);
    }
    // a booking's event is known from any of its tickets
    let booked: BTreeMap<Uuid, Uuid> =
        books.claims.iter().filter_map(|claim| Some((claim.booking_id, *event_of.get(&claim.ticket_id)?))).collect();
    for booking in books.completed() {
        if let Some(event) = booked.get(&booking.booking_id).and_then(|id| events.get_mut(id)) {
            event.booked += i64::from(booking.quantity);
        }
    }
    for (id, event) in &events {
        inquiry.expect(event.purchased.max(event.booked) <= event.capacity, || {
            format!(
                "event {id}: {} tickets purchased and {} booked, of {}",
                event.purchased, event.booked, event.capacity
            )
        });
    }
    inquiry.note(format!("{} of {} sold", count(books.sold() as u64), count(books.capacity() as u64)));
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    #[test]
    fn bookings_beyond_the_capacity_are_found() {
        let (_, mut books) = evening::clean();
        let booking = books.completed().next().unwrap().booking_id;
        books.bookings.get_mut(&booking).unwrap().quantity = 10_000;
        assert_eq!(check(&books).outcome, Outcome::Broken);
    }
}
