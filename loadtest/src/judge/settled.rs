//! Nothing is left under way, and nothing for a human.

use super::inquiry::{Check, Inquiry};
use crate::books::Books;

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of("settled", "no booking is pending and no work of the outbox undone");
    let bookings = books.bookings.values().filter(|booking| booking.drop_id == books.drop.drop_id);
    for booking in bookings {
        inquiry.expect(booking.status != "pending", || format!("booking {} is still pending", booking.booking_id));
    }
    for row in &books.outbox_undone {
        inquiry.expect(false, || {
            format!(
                "outbox {} ({}) is not done after {} attempts: {}",
                row.outbox_id,
                row.kind,
                row.attempts,
                row.last_error.as_deref().unwrap_or("no error")
            )
        });
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::{books::OutboxRow, judge::Outcome};

    #[test]
    fn open_ends_are_found() {
        let (_, mut books) = evening::clean();
        books.bookings.values_mut().next().unwrap().status = "pending".into();
        assert_eq!(check(&books).outcome, Outcome::Broken);

        let (_, mut books) = evening::clean();
        books.outbox_undone.push(OutboxRow { outbox_id: 1, kind: "capture".into(), attempts: 3, last_error: None });
        assert_eq!(check(&books).outcome, Outcome::Broken);
    }
}
