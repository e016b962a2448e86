//! The letters: what they say, and to whom.

use anyhow::Context as _;
use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::qr;
use super::ticket::{Signer, Ticket};
use crate::app::App;
use crate::purchase::fees::{self, Fee};
use crate::purchase::tickets::{self, Line};

/// A booking and the fan it is written to.
pub(super) struct Letter {
    about: About,
    to: Mailbox,
    tickets: Vec<Line>,
    fees: Vec<Fee>,
}

#[derive(FromRow)]
struct About {
    booking_id: Uuid,
    user_id: Uuid,
    event_id: Uuid,
    total_amount: i64,
    currency: String,
    username: String,
    /// Sealed.
    email: Vec<u8>,
    event: String,
    venue: String,
    /// At the venue, as text.
    date: String,
    time: Option<String>,
}

impl Letter {
    pub(super) async fn load(app: &App, booking_id: Uuid) -> anyhow::Result<Self> {
        let about = about(&app.pool, booking_id).await?.context("the booking")?;
        let context = format!("users.email:{}", about.user_id);
        let address = app.vault.open(&context, &about.email).context("the fan's address")?;
        // the error would quote the address: leave it out
        let address = std::str::from_utf8(&address).ok().and_then(|address| address.parse().ok());
        let to = Mailbox::new(Some(about.username.clone()), address.context("the fan's address is malformed")?);
        let tickets = tickets::of_booking(&app.pool, booking_id).await?;
        let fees = fees::of_booking(&app.pool, booking_id).await?;
        Ok(Letter { about, to, tickets, fees })
    }

    /// One signed QR code for each ticket.
    pub(super) fn tickets(&self, from: &Mailbox, signer: &Signer) -> anyhow::Result<Message> {
        let seats: Vec<&str> = self.tickets.iter().map(|ticket| ticket.seat.as_str()).collect();
        let mut text = format!(
            "Your tickets for {}\n{}\n{}\n\nSeats: {}\n{}Paid: {} {} (minor units)\nBooking: {}\n",
            self.about.event,
            self.when(),
            self.about.venue,
            seats.join(", "),
            self.items(),
            self.about.total_amount,
            self.about.currency,
            self.about.booking_id,
        );
        let mut codes = Vec::new();
        for line in &self.tickets {
            let signed = signer.sign(&Ticket {
                ticket_id: line.ticket_id,
                event_id: self.about.event_id,
                booking_id: self.about.booking_id,
                seat: line.seat.clone(),
            })?;
            text.push_str(&format!("\n{}\n{signed}\n", line.seat));
            let name = format!("ticket-{}.svg", line.ticket_id);
            codes.push(Attachment::new(name).body(qr::svg(&signed)?, ContentType::parse("image/svg+xml")?));
        }
        let body =
            codes.into_iter().fold(MultiPart::mixed().singlepart(SinglePart::plain(text)), MultiPart::singlepart);
        Ok(self.envelope(from, "tickets", &format!("Your tickets: {}", self.about.event)).multipart(body)?)
    }

    pub(super) fn refusal(&self, from: &Mailbox) -> anyhow::Result<Message> {
        let text = format!(
            "The payment for {} ({}) was authorised, but the money could not be taken: there are no tickets.\n\
             You pay nothing: should your bank show a charge, it goes back to you. The seats were given back.\n\n\
             Booking: {}\n",
            self.about.event,
            self.when(),
            self.about.booking_id,
        );
        Ok(self
            .envelope(from, "refusal", &format!("No tickets: {}", self.about.event))
            .singlepart(SinglePart::plain(text))?)
    }

    pub(super) fn refund(&self, from: &Mailbox) -> anyhow::Result<Message> {
        let seats: Vec<&str> = self.tickets.iter().map(|ticket| ticket.seat.as_str()).collect();
        let text = format!(
            "Your booking for {} ({}) was cancelled and is refunded.\n\nSeats: {}\nRefunded: {} {} (minor units); \
             your bank may take some days.\nThe tickets of this booking are not valid any more.\n\nBooking: {}\n",
            self.about.event,
            self.when(),
            seats.join(", "),
            self.about.total_amount,
            self.about.currency,
            self.about.booking_id,
        );
        Ok(self
            .envelope(from, "refund", &format!("Refunded: {}", self.about.event))
            .singlepart(SinglePart::plain(text))?)
    }

    pub(super) fn late(&self, from: &Mailbox) -> anyhow::Result<Message> {
        let text = format!(
            "When your payment for {} ({}) arrived, the seats could not be had any more: the time to pay was over, or one \
             of them had been withdrawn. There are no tickets.\nWe have given it back: {} {} (minor units). An amount \
             that your bank has only reserved is free again within days; one that it has charged comes back within some \
             days, too.\n\nBooking: {}\n",
            self.about.event,
            self.when(),
            self.about.total_amount,
            self.about.currency,
            self.about.booking_id,
        );
        Ok(self
            .envelope(from, "late", &format!("No tickets, and your money back: {}", self.about.event))
            .singlepart(SinglePart::plain(text))?)
    }

    /// What the total is made of, where it is more than the tickets: a line each.
    fn items(&self) -> String {
        if self.fees.is_empty() {
            return String::new();
        }
        let tickets = self.about.total_amount - self.fees.iter().map(|fee| fee.amount).sum::<i64>();
        let items =
            std::iter::once(("Tickets", tickets)).chain(self.fees.iter().map(|fee| (fee.label.as_str(), fee.amount)));
        items.map(|(label, amount)| format!("{label}: {amount} {}\n", self.about.currency)).collect()
    }

    /// The same letter sent twice has the same Message-ID, so that a mailbox may show it once.
    fn envelope(&self, from: &Mailbox, kind: &str, subject: &str) -> lettre::message::MessageBuilder {
        let domain = from.email.domain();
        Message::builder()
            .from(from.clone())
            .to(self.to.clone())
            .subject(subject)
            .message_id(Some(format!("<{kind}.{}@{domain}>", self.about.booking_id)))
    }

    fn when(&self) -> String {
        match &self.about.time {
            Some(time) => format!("{}, {time}", self.about.date),
            None => self.about.date.clone(),
        }
    }
}

async fn about(pool: &PgPool, booking_id: Uuid) -> sqlx::Result<Option<About>> {
    sqlx::query_as(
        "SELECT b.booking_id, b.user_id, b.event_id, b.total_amount, b.currency, u.username, u.email,
                e.name AS event, v.name AS venue, to_char(e.date, 'YYYY-MM-DD') AS date,
                to_char(e.time, 'HH24:MI') AS time
         FROM bookings b JOIN users u USING (user_id) JOIN events e USING (event_id) JOIN venues v USING (venue_id)
         WHERE b.booking_id = $1",
    )
    .bind(booking_id)
    .fetch_optional(pool)
    .await
}
