//! Mail to fans. Without an SMTP server it is skipped, and said so once.

mod mail;
pub(crate) mod qr;
pub mod ticket;
pub mod turn;

use std::sync::Once;

use anyhow::Context as _;
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;
use shared::keyring::Keyring;
use uuid::Uuid;

use crate::app::App;
use crate::purchase::bookings::{self, Status};
use crate::settings::Settings;

/// How long the mail server may take for one message.
const SEND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

type Mailer = AsyncSmtpTransport<Tokio1Executor>;

/// Sends what the outbox says.
pub struct Notifier {
    mailer: Option<Mailer>,
    from: Mailbox,
    signer: ticket::Signer,
    skipped: Once,
}

impl Notifier {
    /// # Errors
    /// When the SMTP address or the sender is malformed, or the keyring is empty.
    pub fn new(settings: &Settings, keyring: &Keyring) -> anyhow::Result<Self> {
        let mailer = settings.smtp_url.as_ref().map(|url| -> anyhow::Result<Mailer> {
            // the URL carries a password: name the setting, not the value
            let builder = Mailer::from_url(url.expose_secret()).ok().context("booking.smtp_url is not an SMTP URL")?;
            Ok(builder.timeout(Some(SEND_TIMEOUT)).build())
        });
        Ok(Notifier {
            mailer: mailer.transpose()?,
            from: settings.mail_from.parse().context("booking.mail_from")?,
            signer: ticket::Signer::new(keyring)?,
            skipped: Once::new(),
        })
    }

    /// The tickets of a captured booking.
    pub(crate) async fn send_tickets(&self, app: &App, booking_id: Uuid) -> anyhow::Result<()> {
        let Some(mailer) = self.mailer() else { return Ok(()) };
        let letter = mail::Letter::load(app, booking_id).await?;
        mailer.send(letter.tickets(&self.from, &self.signer)?).await?;
        Ok(())
    }

    /// The money could not be taken: there are no tickets.
    pub(crate) async fn send_refusal(&self, app: &App, booking_id: Uuid) -> anyhow::Result<()> {
        let Some(mailer) = self.mailer() else { return Ok(()) };
        let letter = mail::Letter::load(app, booking_id).await?;
        mailer.send(letter.refusal(&self.from)?).await?;
        Ok(())
    }

    /// A sale was undone: the money is on its way back.
    pub(crate) async fn send_refund(&self, app: &App, booking_id: Uuid) -> anyhow::Result<()> {
        let Some(mailer) = self.mailer() else { return Ok(()) };
        let letter = mail::Letter::load(app, booking_id).await?;
        mailer.send(letter.refund(&self.from)?).await?;
        Ok(())
    }

    /// The money came too late and went back. Nothing to say to who has the tickets by another payment.
    pub(crate) async fn send_late(&self, app: &App, booking_id: Uuid) -> anyhow::Result<()> {
        let Some(mailer) = self.mailer() else { return Ok(()) };
        let booking = bookings::find(&app.pool, booking_id).await?;
        if booking.is_some_and(|booking| booking.status == Status::Completed) {
            return Ok(());
        }
        let letter = mail::Letter::load(app, booking_id).await?;
        mailer.send(letter.late(&self.from)?).await?;
        Ok(())
    }

    /// It is the turn of somebody in a line who asked to be told. Without a mail server the address is forgotten all
    /// the same.
    pub(crate) async fn send_turn(&self, app: &App, drop_id: &str, place: &str) -> anyhow::Result<()> {
        let Some(letter) = turn::Letter::load(app, drop_id, place).await? else { return Ok(()) };
        if let Some(mailer) = self.mailer() {
            mailer.send(letter.message(&self.from, &app.public_url)?).await?;
        }
        Ok(letter.forget(&app.pool).await?)
    }

    /// Whether tickets are mailed at all.
    pub(crate) fn sends_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// The text of a ticket's QR code.
    pub(crate) fn sign(&self, ticket: &ticket::Ticket) -> anyhow::Result<String> {
        self.signer.sign(ticket)
    }

    fn mailer(&self) -> Option<&Mailer> {
        if self.mailer.is_none() {
            self.skipped.call_once(|| tracing::info!("booking.smtp_url is not set: mail is skipped"));
        }
        self.mailer.as_ref()
    }
}

/// What may be kept and logged about a mail that failed: a mail server's reply often quotes the address.
pub(crate) fn anonymous(error: &anyhow::Error) -> String {
    let Some(refusal) = error.downcast_ref::<smtp::Error>() else {
        // our own words, without what a library adds
        return error.to_string();
    };
    match refusal.status() {
        Some(code) => format!("smtp {code}"),
        None if refusal.is_timeout() => "smtp timeout".to_owned(),
        None if refusal.is_tls() => "smtp tls".to_owned(),
        None => "smtp connection".to_owned(),
    }
}
