//! Nothing can be paid any more, and nobody's money is merely reserved.

use super::inquiry::{Check, Inquiry};
use crate::books::Books;

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of("nothing open", "every intent at the provider is paid or given up");
    for intent in &books.intents {
        inquiry.expect(!intent.is_open(), || {
            let booking = intent.booking_id.and_then(|id| books.bookings.get(&id));
            format!("{intent:?} is open; its booking is {:?}", booking.map(|booking| &booking.status))
        });
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    #[test]
    fn an_intent_somebody_could_still_pay_is_found() {
        let (_, mut books) = evening::clean();
        assert_eq!(check(&books).outcome, Outcome::Kept);
        for status in ["requires_payment_method", "requires_action", "requires_capture", "processing"] {
            books.intents[0].status = status.into();
            assert_eq!(check(&books).outcome, Outcome::Broken, "{status}");
        }
        books.intents[0].status = "canceled".into();
        assert_eq!(check(&books).outcome, Outcome::Kept);
    }
}
