//! `/checkout/{booking_id}`: what is held, for how long, and one button to pay; afterwards the tickets. Only for the
//! fan whose booking it is.

mod payment;
mod tickets;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    json::Path,
    pages::{self, Form, Site, see_other},
    problem::Problem,
};
use std::sync::Arc;
use uuid::Uuid;

use self::{
    payment::{CARDS, Way},
    tickets::SeatLine,
};
use super::{
    seats::sign_in,
    words::{self, When},
};
use crate::{
    app::App,
    catalogue::details::Details,
    error::Error,
    extract::Fan,
    purchase::{
        bookings::{self, Booking, Status},
        cancel,
        confirm::{self, Confirmed},
        intents,
    },
};

#[derive(Template)]
#[template(path = "checkout.html")]
struct Page {
    site: Site,
    stands: Stands,
    booking: Booking,
    details: Arc<Details>,
    when: When,
    seats: Vec<SeatLine>,
    total: String,
    reference: String,
    now: Timestamp,
    /// What just went wrong, in words.
    notice: Option<String>,
    mails: bool,
}

impl Page {
    /// Something may still change.
    fn is_live(&self) -> bool {
        !matches!(self.stands, Stands::Done | Stands::Over { .. })
    }
}

/// Where the booking stands, as its fan sees it.
enum Stands {
    /// Held, to be paid.
    Payable(Way),
    /// Held, but the fan has to see the bank first, which is on another site.
    AtBank(String),
    /// The bank, the provider or we have not decided.
    Settling {
        title: &'static str,
        text: &'static str,
    },
    Done,
    Over {
        title: &'static str,
        text: &'static str,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    #[serde(rename = "do")]
    does: String,
    card: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    Path(booking_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, booking) = match own(&app, &headers, &booking_id).await? {
        Own::Found(fan, booking) => (fan, booking),
        Own::SignedOut(answer) => return Ok(answer),
    };
    let from_bank = Return::read(query.as_deref().unwrap_or_default());
    let stands = match from_bank {
        Return::Undecided if booking.status == Status::Pending => at_bank(),
        _ => stands(&app, &booking).await?,
    };
    let notice = (from_bank == Return::Refused && matches!(stands, Stands::Payable(_)))
        .then(|| payment::words(payment::NOT_APPROVED, "").to_owned());
    page(&app, booking, stands, notice).await
}

pub(super) async fn act(
    State(app): State<App>,
    Path(booking_id): Path<String>,
    headers: HeaderMap,
    Form(order): Form<Order>,
) -> Result<Response, Problem> {
    let (fan, booking) = match own(&app, &headers, &booking_id).await? {
        Own::Found(fan, booking) => (fan, booking),
        Own::SignedOut(answer) => return Ok(answer),
    };
    let here = format!("/checkout/{}", booking.booking_id);
    let outcome = match order.does.as_str() {
        "pay" => {
            let card = payment::card(&app.settings.stripe, order.card.as_deref().unwrap_or_default())?;
            app.limits.confirm_account.check_key(fan.user_id.as_bytes())?;
            confirm::confirm(&app, fan.user_id, booking.booking_id, Some(card)).await
        }
        "check" => {
            app.limits.confirm_account.check_key(fan.user_id.as_bytes())?;
            confirm::confirm(&app, fan.user_id, booking.booking_id, None).await
        }
        "prepare" => {
            intents::ensure(&app, &booking).await?;
            return Ok(see_other(&here));
        }
        "cancel" => match cancel::cancel(&app, fan.user_id, booking.booking_id).await {
            // sold at this very moment: the page shows the tickets
            Ok(_) | Err(Error::BookingCompleted) => return Ok(see_other(&here)),
            Err(error) => return Err(error.into()),
        },
        _ => return Err(Error::WrongType("do: pay, check, prepare or cancel".to_owned()).into()),
    };
    match outcome {
        Ok(Confirmed::Completed(_)) | Err(Error::BookingExpired { .. }) => Ok(see_other(&here)),
        Ok(Confirmed::Pending { next_action, in_bank }) => match next_action.as_ref().and_then(bank_page) {
            Some(url) => to_bank(&app, booking, url).await,
            None if in_bank => page(&app, booking, at_bank(), None).await,
            None => Ok(see_other(&here)),
        },
        Err(error @ (Error::Declined { .. } | Error::Provider(_))) => refused(&app, booking, error).await,
        Err(error) => Err(error.into()),
    }
}

enum Own {
    Found(Fan, Booking),
    /// The way to the sign-in form, and back here.
    SignedOut(Response),
}

/// Somebody else's booking does not exist.
async fn own(app: &App, headers: &HeaderMap, booking_id: &str) -> Result<Own, Error> {
    let booking_id: Uuid = booking_id.parse().map_err(|_| Error::BookingUnknown)?;
    let fan = match Fan::of(app, headers).await {
        Ok(fan) => fan,
        Err(Error::SessionMissing | Error::SessionInvalid) => {
            return Ok(Own::SignedOut(see_other(&sign_in(&format!("/checkout/{booking_id}")))));
        }
        Err(error) => return Err(error),
    };
    let booking = bookings::find_own(&app.pool, booking_id, fan.user_id).await?.ok_or(Error::BookingUnknown)?;
    Ok(Own::Found(fan, booking))
}

async fn stands(app: &App, booking: &Booking) -> Result<Stands, Error> {
    Ok(match booking.status {
        Status::Completed if booking.captured_at().is_some() => Stands::Done,
        Status::Completed => Stands::Settling {
            title: "The seats are yours",
            text: "We are taking the payment now. Your tickets appear here in a moment.",
        },
        Status::Cancelled => over(&booking.why()),
        Status::Pending if booking.is_payable(app.clock.now()) => {
            Stands::Payable(Way::of(app, booking.booking_id).await?)
        }
        Status::Pending => Stands::Settling {
            title: "Your time to pay is over",
            text: "We are asking the bank whether a payment is still under way. If it is, the seats stay yours.",
        },
    })
}

fn at_bank() -> Stands {
    Stands::Settling {
        title: "Confirming with your bank",
        text: "Your seats stay held meanwhile. This takes a few seconds.",
    }
}

fn over(reason: &str) -> Stands {
    let (title, text) = match reason {
        "given-up" => ("You gave these seats back", "Nothing was charged. They can be had by others now."),
        "payment-lost" => (
            "The seats were gone before the payment arrived",
            "Your bank answered after the time was up, and the seats had been given on. Nothing was charged.",
        ),
        "capture-refused" => (
            "Your bank refused the payment",
            "It had agreed first and refused when we took the money. Nothing was charged, and the seats were given back.",
        ),
        _ => ("The time to pay ran out", "The seats were given back. Nothing was charged."),
    };
    Stands::Over { title, text }
}

/// What the bank's or the provider's page says in the address it leads back with.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Return {
    Not,
    /// Said yes, or nothing one may rely on: whoever asks the provider finds out.
    Undecided,
    Refused,
}

impl Return {
    fn read(query: &str) -> Self {
        let status = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_status");
        match status.as_ref().map(|(_, value)| value.as_ref()) {
            None => Self::Not,
            Some("failed") => Self::Refused,
            Some(_) => Self::Undecided,
        }
    }
}

/// <https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action>
fn bank_page(next_action: &Value) -> Option<String> {
    let url = next_action["redirect_to_url"]["url"].as_str()?;
    (url.starts_with("https://") || url.starts_with("http://")).then(|| url.to_owned())
}

/// A page of ours at once; for another site a link, because a form of ours may lead nowhere else.
async fn to_bank(app: &App, booking: Booking, url: String) -> Result<Response, Problem> {
    match url.strip_prefix(&app.public_url).and_then(pages::local_path) {
        Some(path) => Ok(see_other(path)),
        None => page(app, booking, Stands::AtBank(url), None).await,
    }
}

/// The seats are held still, and the fan may try again.
async fn refused(app: &App, booking: Booking, error: Error) -> Result<Response, Problem> {
    let words = match &error {
        Error::Declined { code, message } => payment::words(code, message).to_owned(),
        _ => "The payment service does not answer at the moment. Nothing was charged; try again.".to_owned(),
    };
    let problem = Problem::from(error);
    let booking = bookings::find(&app.pool, booking.booking_id).await.map_err(Error::from)?.unwrap_or(booking);
    let stands = stands(app, &booking).await?;
    if !matches!(stands, Stands::Payable(_)) {
        return Ok(see_other(&format!("/checkout/{}", booking.booking_id)));
    }
    Ok((problem.status(), page(app, booking, stands, Some(words)).await?).into_response())
}

async fn page(app: &App, booking: Booking, stands: Stands, notice: Option<String>) -> Result<Response, Problem> {
    let details = app.details.of(&app.pool, booking.event_id).await.map_err(Error::from)?;
    let details = details.ok_or(Error::EventUnknown)?;
    let policy = match &stands {
        Stands::Payable(way) => way.policy(),
        _ => None,
    };
    let with_codes = matches!(stands, Stands::Done);
    let page = Page {
        site: app.site.clone(),
        when: words::when(&details.event),
        seats: tickets::lines(app, &booking, &details, with_codes).await?,
        total: words::money(booking.total_amount, &booking.currency),
        reference: reference(booking.booking_id),
        now: app.clock.now(),
        mails: app.notifier.sends_mail(),
        stands,
        booking,
        details,
        notice,
    };
    let page = pages::page(&page);
    Ok(match policy {
        Some(policy) => (StatusCode::OK, [(header::CONTENT_SECURITY_POLICY, policy.header())], page).into_response(),
        None => page,
    })
}

/// What one says on the phone.
fn reference(booking_id: Uuid) -> String {
    let digits = booking_id.simple().to_string().to_ascii_uppercase();
    format!("{}-{}", &digits[..4], &digits[4..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coming_back_from_the_bank_is_not_believed() {
        assert_eq!(Return::read(""), Return::Not);
        assert_eq!(Return::read("payment_intent=pi_1&redirect_status=succeeded"), Return::Undecided);
        assert_eq!(Return::read("redirect_status=anything"), Return::Undecided);
        assert_eq!(Return::read("redirect_status=failed"), Return::Refused);
    }

    #[test]
    fn only_web_addresses_are_linked() {
        let action = |url: &str| serde_json::json!({ "redirect_to_url": { "url": url } });
        assert!(bank_page(&action("https://bank.example/3ds")).is_some());
        assert_eq!(bank_page(&action("javascript:alert(1)")), None);
        assert_eq!(bank_page(&serde_json::json!({ "use_stripe_sdk": {} })), None);
    }

    #[test]
    fn a_reference_is_short() {
        assert_eq!(reference(Uuid::from_u128(0xABCD_EF01 << 96)), "ABCD-EF01");
    }
}
