//! Tickets, claims and bookings tell the same story.

use std::collections::HashMap;

use uuid::Uuid;

use super::inquiry::{Check, Inquiry};
use crate::books::{Books, ClaimRow};

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of("agreement", "every ticket's status and owner agree with its booking and its claim");
    let mut live: HashMap<i64, Vec<&ClaimRow>> = HashMap::new();
    for claim in books.claims.iter().filter(|claim| claim.state != "released") {
        live.entry(claim.ticket_id).or_default().push(claim);
        claims_agree(&mut inquiry, books, claim);
    }
    tickets_agree(&mut inquiry, books, &live);
    bookings_agree(&mut inquiry, books);
    inquiry.done()
}

fn claims_agree(inquiry: &mut Inquiry, books: &Books, claim: &ClaimRow) {
    let wanted = if claim.state == "sold" { "completed" } else { "pending" };
    let status = books.bookings.get(&claim.booking_id).map(|booking| booking.status.as_str());
    inquiry.expect(status == Some(wanted), || {
        format!(
            "the claim of {} on ticket {} is {}, its booking {status:?}",
            claim.booking_id, claim.ticket_id, claim.state
        )
    });
}

fn tickets_agree(inquiry: &mut Inquiry, books: &Books, live: &HashMap<i64, Vec<&ClaimRow>>) {
    for ticket in &books.tickets {
        let claims = live.get(&ticket.ticket_id).map_or(&[][..], Vec::as_slice);
        let sold: Vec<Uuid> =
            claims.iter().filter(|claim| claim.state == "sold").map(|claim| claim.booking_id).collect();
        let agrees = match (ticket.status.as_str(), ticket.booking_id) {
            ("purchased", Some(id)) => {
                sold == [id] && books.bookings.get(&id).is_some_and(|booking| Some(booking.user_id) == ticket.user_id)
            }
            ("available", None) => sold.is_empty() && ticket.user_id.is_none() && claims.len() <= 1,
            ("cancelled", _) => claims.is_empty(),
            _ => false,
        };
        inquiry.expect(agrees, || {
            format!(
                "ticket {} ({}) is {}, booking {:?}, owner {:?}; sold to {sold:?}",
                ticket.ticket_id, ticket.seat_number, ticket.status, ticket.booking_id, ticket.user_id
            )
        });
    }
}

fn bookings_agree(inquiry: &mut Inquiry, books: &Books) {
    let mut owned: HashMap<Uuid, (i64, i64)> = HashMap::new();
    for ticket in &books.tickets {
        if let Some(booking) = ticket.booking_id {
            let (count, total) = owned.entry(booking).or_default();
            *count += 1;
            *total += ticket.price;
        }
    }
    for booking in books.completed() {
        let (count, total) = owned.get(&booking.booking_id).copied().unwrap_or_default();
        let agrees = count == i64::from(booking.quantity) && total + booking.fees == booking.total_amount;
        inquiry.expect(agrees, || {
            format!(
                "booking {} is completed for {} tickets and {}, and owns {count} for {total} and fees of {}",
                booking.booking_id, booking.quantity, booking.total_amount, booking.fees
            )
        });
    }
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
    fn disagreements_are_found() {
        // a completed booking that lost a ticket
        broken(|books| {
            let ticket = &mut books.tickets[0];
            (ticket.status, ticket.booking_id, ticket.user_id) = ("available".into(), None, None);
        });
        // a ticket of somebody else
        broken(|books| books.tickets[0].user_id = Some(Uuid::new_v4()));
        // a ticket whose booking was cancelled
        broken(|books| {
            let id = books.tickets[0].booking_id.unwrap();
            books.bookings.get_mut(&id).unwrap().status = "cancelled".into();
        });
        // a ticket sold without a claim
        broken(|books| books.claims[0].state = "released".into());
        // a hold that outlived its booking
        broken(|books| books.claims[0].state = "held".into());
        // a total that is not the sum
        broken(|books| books.tickets[0].price += 1);
        // a fee that is not in the total
        broken(|books| books.bookings.values_mut().next().unwrap().fees = 1);
        // a sale from nothing
        broken(|books| books.tickets[0].booking_id = Some(Uuid::new_v4()));
    }
}
