//! The seats of a booking in words, and as tickets once they are paid.

use crate::{
    app::App,
    catalogue::details::Details,
    error::Error,
    notify::{qr, ticket::Ticket},
    pages::words,
    purchase::{
        bookings::Booking,
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
        let place = plan.as_ref().and_then(|plan| plan.describe(&line.seat));
        Ok(SeatLine {
            place: place.map(|(zone, row, number)| Seat { zone, row, number }),
            price: words::money(line.price, &booking.currency),
            code: if with_codes { Some(code(app, booking, &line)?) } else { None },
            label: line.seat,
        })
    };
    lines.into_iter().map(line).collect()
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
