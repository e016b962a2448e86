//! The provider's list against the bookings: never money without a ticket, nor a ticket without
//! money.

use std::collections::HashMap;

use uuid::Uuid;

use super::inquiry::{Check, Inquiry};
use crate::books::{BookingRow, Books, Intent};

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of(
        "money",
        "every completed booking is captured exactly once for its total, \
         and every captured intent has its completed booking",
    );
    let mut kept: HashMap<Uuid, Vec<&Intent>> = HashMap::new();
    for intent in &books.intents {
        let booking = intent.booking_id.and_then(|id| books.bookings.get(&id));
        if keeps_money(intent) {
            if let Some(id) = intent.booking_id {
                kept.entry(id).or_default().push(intent);
            }
            inquiry.expect(booking.is_some_and(BookingRow::is_completed), || {
                format!(
                    "intent {} was captured ({} {}), its booking {:?} is {:?}",
                    intent.id,
                    intent.amount_received,
                    intent.currency,
                    intent.booking_id,
                    booking.map(|booking| &booking.status)
                )
            });
        } else if intent.status == "requires_capture" {
            let pending = booking.is_some_and(|booking| booking.status == "pending");
            inquiry.expect(pending, || {
                format!(
                    "intent {} is still authorised, and nobody will capture or void it: booking {:?}",
                    intent.id, intent.booking_id
                )
            });
        }
    }
    for booking in books.bookings.values().filter(|booking| booking.is_completed()) {
        let intents = kept.get(&booking.booking_id).map_or(&[][..], Vec::as_slice);
        let paid = match intents {
            [] => booking.total_amount == 0,
            [intent] => pays(intent, booking),
            _ => false,
        };
        inquiry.expect(paid, || {
            format!(
                "booking {} over {} {} (intent {:?}, captured: {}) is paid by {intents:?}",
                booking.booking_id, booking.total_amount, booking.currency, booking.intent_id, booking.captured
            )
        });
    }
    inquiry.done()
}

/// Money was taken and not given back whole.
fn keeps_money(intent: &Intent) -> bool {
    intent.amount_received > intent.amount_refunded
}

fn pays(intent: &Intent, booking: &BookingRow) -> bool {
    intent.status == "succeeded"
        && intent.amount_received == booking.total_amount
        && intent.amount_refunded == 0
        && intent.currency.eq_ignore_ascii_case(&booking.currency)
        && booking.intent_id.as_deref() == Some(&intent.id)
        && booking.captured
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    fn broken(change: impl FnOnce(&mut Books)) {
        let (_, mut books) = evening::clean();
        change(&mut books);
        assert_eq!(check(&books).outcome, Outcome::Broken);
    }

    #[test]
    fn wrong_money_is_found() {
        // a ticket without money
        broken(|books| drop(books.intents.remove(0)));
        // too little, in another currency, given back in part
        broken(|books| books.intents[0].amount_received -= 1);
        broken(|books| books.intents[0].currency = "eur".into());
        broken(|books| books.intents[0].amount_refunded = 1);
        // captured twice
        broken(|books| {
            let mut second = books.intents[0].clone();
            second.id += "x";
            books.intents.push(second);
        });
        // money without a booking, or for one that is not completed
        broken(|books| books.intents[0].booking_id = None);
        broken(|books| {
            let id = books.intents[0].booking_id.unwrap();
            books.bookings.get_mut(&id).unwrap().status = "cancelled".into();
        });
        // authorised for ever
        broken(|books| {
            let mut second = books.intents[0].clone();
            second.id += "x";
            second.status = "requires_capture".into();
            second.amount_received = 0;
            books.intents.push(second);
        });
        // the booking names another intent, or does not know of the capture
        broken(|books| books.intents[0].id += "x");
        broken(|books| {
            let id = books.intents[0].booking_id.unwrap();
            books.bookings.get_mut(&id).unwrap().captured = false;
        });
    }

    #[test]
    fn money_given_back_whole_is_no_money() {
        let (_, mut books) = evening::clean();
        let mut second = books.intents[0].clone();
        second.id += "x";
        second.amount_refunded = second.amount_received;
        books.intents.push(second.clone());
        second.id += "y";
        (second.status, second.amount_received) = ("canceled".into(), 0);
        books.intents.push(second);
        assert_eq!(check(&books).outcome, Outcome::Kept);
    }
}
