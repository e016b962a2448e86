//! No ticket in two completed bookings, by the books or by what fans were told.

use std::collections::HashMap;

use super::inquiry::{Check, Inquiry};
use crate::{books::Books, record::Record};

pub(super) fn check(record: &Record, books: &Books) -> Check {
    let mut inquiry = Inquiry::of("one owner", "no ticket is in two completed bookings");
    let mut owner = HashMap::new();
    for claim in books.claims.iter().filter(|claim| claim.state == "sold") {
        let completed = books.bookings.get(&claim.booking_id).is_some_and(|booking| booking.is_completed());
        if completed {
            let first = owner.insert(claim.ticket_id, claim.booking_id);
            inquiry.expect(first.is_none(), || {
                format!(
                    "ticket {} is sold in {} and in {}",
                    claim.ticket_id,
                    first.unwrap_or_default(),
                    claim.booking_id
                )
            });
        }
    }
    let mut told = HashMap::new();
    for fan in &record.fans {
        let Some(purchase) = &fan.purchase else {
            continue;
        };
        for seat in &purchase.seats {
            let first = told.insert((purchase.event_id, seat), fan.number);
            inquiry.expect(first.is_none(), || {
                format!("fans {} and {} were both told they bought {seat}", first.unwrap_or_default(), fan.number)
            });
        }
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::{books::ClaimRow, judge::Outcome};

    #[test]
    fn a_ticket_sold_twice_is_found() {
        let (record, mut books) = evening::clean();
        let thief = books.claims[3].booking_id;
        books.claims.push(ClaimRow { booking_id: thief, ..books.claims[0].clone() });
        let check = check(&record, &books);
        assert_eq!((check.outcome, check.broken), (Outcome::Broken, 1));
    }

    #[test]
    fn a_seat_promised_to_two_fans_is_found() {
        let (mut record, books) = evening::clean();
        let seat = record.fans[0].purchase.as_ref().unwrap().seats[0].clone();
        record.fans[1].purchase.as_mut().unwrap().seats[0] = seat;
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
    }
}
