//! The seats of a booking in words, and as tickets once they are paid.

use crate::{
    app::App,
    catalogue::details::Details,
    error::Error,
    notify::{qr, ticket::Ticket},
    pages::words,
    purchase::{
        bookings::Booking,
        fees,
        tickets::{self, Line},
    },
};

/// One seat, or one unit of general admission.
pub(super) struct SeatLine {
    pub(super) label: String,
    pub(super) place: Option<Seat>,
    pub(super) price: String,
    /// The signed code as a picture; only once the money was taken.
    pub(super) code: Option<String>,
}

pub(super) struct Seat {
    pub(super) zone: String,
    pub(super) row: String,
    pub(super) number: u32,
    /// What kind of seat it is, where that is worth a word.
    pub(super) kind: Option<&'static str>,
}

/// What comes on top of the tickets.
pub(super) struct FeeLine {
    pub(super) label: String,
    pub(super) amount: String,
}

/// In the hall's order.
pub(super) async fn lines(
    app: &App,
    booking: &Booking,
    details: &Details,
    with_codes: bool,
) -> Result<Vec<SeatLine>, Error> {
    let plan = match &details.event.layout {
        Some(path) => Some(app.plans.of(&app.pool, &app.layouts, path).await?),
        None => None,
    };
    let lines = tickets::of_booking(&app.pool, booking.booking_id).await?;
    let line = |line: Line| {
        let place = plan.as_ref().and_then(|plan| {
            let (zone, row, number) = plan.describe(&line.seat)?;
            let access = plan.seat(plan.ordinal(&line.seat)?)?.access;
            Some(Seat { zone, row, number, kind: access.map(words::access) })
        });
        Ok(SeatLine {
            place,
            price: words::money(line.price, &booking.currency),
            code: if with_codes { Some(code(app, booking, &line)?) } else { None },
            label: line.seat,
        })
    };
    lines.into_iter().map(line).collect()
}

pub(super) async fn fees(app: &App, booking: &Booking) -> Result<Vec<FeeLine>, Error> {
    let fees = fees::of_booking(&app.pool, booking.booking_id).await?;
    let line = |fee: fees::Fee| FeeLine { amount: words::money(fee.amount, &booking.currency), label: fee.label };
    Ok(fees.into_iter().map(line).collect())
}

fn code(app: &App, booking: &Booking, line: &Line) -> anyhow::Result<String> {
    let signed = app.notifier.sign(&Ticket {
        ticket_id: line.ticket_id,
        event_id: booking.event_id,
        booking_id: booking.booking_id,
        seat: line.seat.clone(),
    })?;
    qr::svg(&signed)
}
