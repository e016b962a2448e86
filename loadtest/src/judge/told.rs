//! A fan who was told "completed" has the tickets.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::inquiry::{Check, Inquiry};
use crate::{books::Books, record::Record};

pub(super) fn check(record: &Record, books: &Books) -> Check {
    let mut inquiry = Inquiry::of("told and done", "what fans were told they bought is what the books say they own");
    let mut owned: HashMap<Uuid, BTreeSet<&str>> = HashMap::new();
    for ticket in &books.tickets {
        if let Some(booking) = ticket.booking_id {
            owned.entry(booking).or_default().insert(&ticket.seat_number);
        }
    }
    let mut told = BTreeSet::new();
    for fan in &record.fans {
        let Some(purchase) = &fan.purchase else {
            continue;
        };
        told.insert(purchase.booking_id);
        let booking = books.bookings.get(&purchase.booking_id);
        let seats: BTreeSet<&str> = purchase.seats.iter().map(String::as_str).collect();
        let holds = booking.is_some_and(|booking| {
            booking.is_completed()
                && booking.total_amount == purchase.total
                && booking.currency.eq_ignore_ascii_case(&purchase.currency)
                && owned.get(&purchase.booking_id) == Some(&seats)
        });
        inquiry.expect(holds, || {
            format!(
                "fan {} was told it bought {seats:?} for {} {} in {}; the books say {booking:?} and {:?}",
                fan.number,
                purchase.total,
                purchase.currency,
                purchase.booking_id,
                owned.get(&purchase.booking_id)
            )
        });
    }
    let untold = books.completed().filter(|booking| !told.contains(&booking.booking_id)).count();
    if untold > 0 {
        inquiry.note(format!("{untold} completed bookings are of others than these fans"));
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    #[test]
    fn broken_promises_are_found() {
        let (mut record, books) = evening::clean();
        record.fans[0].purchase.as_mut().unwrap().seats[0] = "elsewhere".into();
        assert_eq!(check(&record, &books).broken, 1);

        let (mut record, books) = evening::clean();
        record.fans[0].purchase.as_mut().unwrap().total += 1;
        assert_eq!(check(&record, &books).broken, 1);

        let (record, mut books) = evening::clean();
        let id = record.fans[0].purchase.as_ref().unwrap().booking_id;
        books.bookings.get_mut(&id).unwrap().status = "cancelled".into();
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
    }
}
