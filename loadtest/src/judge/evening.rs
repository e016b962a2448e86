//! A clean evening for the judge's tests to spoil: ten fans, two tickets each, all in order.

use uuid::Uuid;

use crate::{
    books::{BookingRow, Books, ClaimRow, DropRow, Intent, Ledger, TicketRow},
    protocol::State,
    record::{Ending, FanRecord, Heard, PulseHeard, Purchase, Record, Shown, Via},
};

pub(super) const FANS: u32 = 10;
pub(crate) const START_US: i64 = 1_795_233_600_000_000;
const RATE_PER_MINUTE: u32 = 600;
const PRICE: i64 = 5_000;

/// Grants come this far apart, in microseconds; every fan's claim waits for three of them.
const STEP_US: i64 = 100_000;

/// Fan `number`, told of its place, its positions, its call and its admission, all in turn.
pub(super) fn fan(number: u32) -> FanRecord {
    let n = i64::from(number);
    let place: std::sync::Arc<str> = format!("place-{number}").into();
    let joined = START_US + n * 1_000;
    let key = START_US + n * 1_000 - 500;
    let claimed = START_US + 5_000_000 + n * STEP_US;
    let deadline = START_US + 125_000_000 + n / 3;
    let heard = |at_us, via, state, deadline, admitted_at_us| Heard {
        at_us,
        via,
        epoch: (via == Via::Stream).then_some(1),
        place: Some(place.clone()),
        state,
        order_key: Some(key),
        claim_deadline_us: deadline,
        admitted_at_us,
    };
    let granted = claimed + 3 * STEP_US;
    let shown = (0..4).map(|tick| Shown {
        at_us: joined + tick * 1_000_000,
        epoch: (tick > 0).then_some(1),
        place: place.clone(),
        position: u64::from(number) + 40 - tick.unsigned_abs() * 10,
        capped: tick > 0,
    });
    FanRecord {
        number,
        join_sent_us: Some(joined - 900),
        joined_us: Some(joined),
        shown: shown.collect(),
        heard: vec![
            heard(joined, Via::Join, State::Waiting, None, None),
            heard(joined + 1_000_000, Via::Stream, State::Waiting, None, None),
            heard(claimed - 2_000, Via::Stream, State::Called, Some(deadline), None),
            heard(claimed, Via::Claim, State::Called, Some(deadline), None),
            heard(granted + 3_000, Via::Stream, State::Admitted, None, Some(granted)),
        ],
        claim_sent_us: Some(claimed - 1_000),
        claim_accepted_us: Some(claimed),
        ending: Ending::Bought,
        ..FanRecord::default()
    }
}

/// Moves a fan's grant.
pub(super) fn grant(fan: &mut FanRecord, admitted_at_us: i64) {
    for heard in &mut fan.heard {
        if heard.admitted_at_us.is_some() {
            heard.admitted_at_us = Some(admitted_at_us);
            heard.at_us = admitted_at_us + 3_000;
        }
    }
}

pub(crate) fn clean() -> (Record, Books) {
    let event_id = Uuid::new_v4();
    let mut record = Record::default();
    let mut books = Books {
        drop: DropRow {
            drop_id: "evening".into(),
            state: "running".into(),
            rate_per_minute: RATE_PER_MINUTE,
            claim_window_s: 120,
        },
        ..Books::default()
    };
    record.pulses = (0..60)
        .map(|tick| PulseHeard {
            at_us: START_US + tick * 500_000,
            state: "running".into(),
            rate_per_minute: RATE_PER_MINUTE,
            ..PulseHeard::default()
        })
        .collect();
    for number in 0..FANS {
        let mut fan = fan(number);
        let purchase = buy(&mut books, event_id, number);
        fan.purchase = Some(purchase);
        record.fans.push(fan);
    }
    let intents = books.intents.iter().map(|intent| (intent.id.clone(), intent.clone())).collect();
    books.ledger = Some(Ledger { intents, ..Ledger::default() });
    (record, books)
}

fn buy(books: &mut Books, event_id: Uuid, number: u32) -> Purchase {
    let (booking_id, user_id) = (Uuid::new_v4(), Uuid::new_v4());
    let mut seats = Vec::new();
    for ticket_id in i64::from(number) * 2..i64::from(number) * 2 + 2 {
        let seat_number = format!("Parquet A {ticket_id}");
        books.tickets.push(TicketRow {
            ticket_id,
            event_id,
            user_id: Some(user_id),
            booking_id: Some(booking_id),
            seat_number: seat_number.clone(),
            price: PRICE,
            status: "purchased".into(),
        });
        books.claims.push(ClaimRow { booking_id, ticket_id, state: "sold".into() });
        seats.push(seat_number);
    }
    let intent = format!("pi_{number}");
    books.intents.push(Intent {
        id: intent.clone(),
        status: "succeeded".into(),
        amount_received: 2 * PRICE,
        amount_refunded: 0,
        currency: "usd".into(),
        booking_id: Some(booking_id),
    });
    books.bookings.insert(
        booking_id,
        BookingRow {
            booking_id,
            drop_id: "evening".into(),
            user_id,
            total_amount: 2 * PRICE,
            fees: 0,
            currency: "USD".into(),
            quantity: 2,
            status: "completed".into(),
            intent_id: Some(intent),
            captured: true,
            completed_at_us: Some(START_US + 6_000_000 + i64::from(number) * 500_000),
        },
    );
    Purchase { booking_id, event_id, seats, total: 2 * PRICE, currency: "USD".into() }
}

/// One ticket more, on sale and never held.
pub(super) fn leave_one_unsold(books: &mut Books) -> i64 {
    let mut ticket = books.tickets[0].clone();
    ticket.ticket_id = 1_000;
    ticket.seat_number = "Parquet A 1000".into();
    (ticket.user_id, ticket.booking_id, ticket.status) = (None, None, "available".into());
    books.tickets.push(ticket);
    1_000
}
