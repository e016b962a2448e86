//! `/checkout/{booking_id}`: what is held, for how long, and one button to pay; afterwards the tickets. Only for the
//! fan whose booking it is.

mod bank;
mod notice;
mod payment;
mod stands;
mod tickets;
mod time;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use shared::{
    client_address::ClientAddress,
    json::Path,
    pages::{self, Form, Site, see_other},
    problem::Problem,
    rate_limit::RateLimit,
};
use std::sync::Arc;
use uuid::Uuid;

use self::{
    bank::{Return, bank_page},
    notice::Notice,
    payment::{CARDS, Way},
    stands::{Next, Stands},
    tickets::{FeeLine, SeatLine},
    time::Time,
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
        extend, intents,
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
    fees: Vec<FeeLine>,
    total: String,
    reference: String,
    now: Timestamp,
    time: Time,
    /// Paid for after the hold had ended.
    is_late: bool,
    notice: Option<Notice>,
    mails: bool,
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
        Own::Found(fan, booking) => (fan, *booking),
        Own::SignedOut(answer) => return Ok(answer),
    };
    let query = query.unwrap_or_default();
    if let Some(said) = Return::of_provider(&query) {
        // the provider's address names a secret: what it says is kept, the address is not, not even in the history
        return Ok(see_other(&said.path(&booking)));
    }
    let from_bank = Return::of_ours(&query);
    let mut stands = Stands::of(&app, &booking).await?;
    if from_bank == Some(Return::Undecided) {
        stands = stands.back_from_bank(&booking);
    }
    let notice = match (&stands, from_bank) {
        (Stands::Payable(_), Some(Return::Refused)) => Some(Notice::failed(payment::words(payment::NOT_APPROVED, ""))),
        (Stands::Payable(_), _) if says(&query, HELD_ALREADY) => Some(Notice::held_already()),
        (Stands::Payable(_), _) if says(&query, MORE_TIME) => Some(Notice::more_time(extend::left(&app, &booking))),
        _ => None,
    };
    page(&app, booking, stands, notice).await
}

pub(super) async fn act(
    State(app): State<App>,
    Path(booking_id): Path<String>,
    address: ClientAddress,
    headers: HeaderMap,
    Form(order): Form<Order>,
) -> Result<Response, Problem> {
    let (fan, booking) = match own(&app, &headers, &booking_id).await? {
        Own::Found(fan, booking) => (fan, *booking),
        Own::SignedOut(answer) => return Ok(answer),
    };
    let here = path(&booking);
    // not before the handler: there is a page to come back to, which says what to do
    if let Err(problem) = app.limits.confirm.check(address.0) {
        return limited(&app, booking, &order.does, problem).await;
    }
    if let ("pay" | "check", Err(problem)) = (order.does.as_str(), of_account(&app.limits.confirm_account, &fan)) {
        return limited(&app, booking, &order.does, problem).await;
    }
    let outcome = match order.does.as_str() {
        "pay" => {
            let card = payment::card(&app.settings.stripe, order.card.as_deref().unwrap_or_default())?;
            confirm::confirm(&app, fan.user_id, booking.booking_id, Some(card)).await
        }
        "check" => confirm::confirm(&app, fan.user_id, booking.booking_id, None).await,
        "prepare" => {
            intents::ensure(&app, &booking).await?;
            return Ok(see_other(&here));
        }
        "cancel" => match cancel::cancel(&app, fan.user_id, booking.booking_id).await {
            // sold at this very moment: the page shows the tickets
            Ok(_) | Err(Error::BookingCompleted) => return Ok(see_other(&here)),
            Err(error) => return Err(error.into()),
        },
        "extend" => return more_time(&app, &fan, booking).await,
        _ => return Err(Error::WrongType("do: pay, check, prepare, extend or cancel".to_owned()).into()),
    };
    match outcome {
        Ok(Confirmed::Completed(_)) | Err(Error::BookingExpired { .. }) => Ok(see_other(&here)),
        Ok(Confirmed::Pending { next_action, in_bank }) => match next_action.as_ref().and_then(bank_page) {
            Some(url) => to_bank(&app, booking, url).await,
            None if in_bank => Ok(see_other(&Return::Undecided.path(&booking))),
            None => Ok(see_other(&here)),
        },
        Err(error @ (Error::Declined { .. } | Error::Provider(_))) => refused(&app, booking, error).await,
        Err(error) => Err(error.into()),
    }
}

fn path(booking: &Booking) -> String {
    format!("/checkout/{}", booking.booking_id)
}

enum Own {
    Found(Fan, Box<Booking>),
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
    Ok(Own::Found(fan, Box::new(booking)))
}

async fn more_time(app: &App, fan: &Fan, booking: Booking) -> Result<Response, Problem> {
    let here = path(&booking);
    match extend::extend(app, fan.user_id, booking.booking_id, None).await {
        Ok(_) => Ok(see_other(&format!("{here}?{}={}", MORE_TIME.0, MORE_TIME.1))),
        // the page says how it stands now
        Err(Error::BookingCompleted | Error::BookingExpired { .. }) => Ok(see_other(&here)),
        Err(error @ Error::Extension) => {
            let stands = Stands::of(app, &booking).await?;
            let page = page(app, booking, stands, Some(Notice::no_more_time())).await?;
            Ok((Problem::from(error).status(), page).into_response())
        }
        Err(error) => Err(error.into()),
    }
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
    let stands = Stands::of(app, &booking).await?;
    if !matches!(stands, Stands::Payable(_)) {
        return Ok(see_other(&path(&booking)));
    }
    Ok((problem.status(), page(app, booking, stands, Some(Notice::failed(&words))).await?).into_response())
}

fn of_account(limit: &RateLimit, fan: &Fan) -> Result<(), Problem> {
    limit.check_key(fan.user_id.as_bytes())
}

/// Many come from the fan's address, or the fan presses often: nothing was done, and nothing is lost by it.
async fn limited(app: &App, booking: Booking, does: &str, problem: Problem) -> Result<Response, Problem> {
    // who only wants to know is shown what we know
    if does == "check" && booking.status == Status::Pending {
        return Ok(see_other(&Return::Undecided.path(&booking)));
    }
    let stands = Stands::of(app, &booking).await?;
    if !matches!(stands, Stands::Payable(_)) {
        return Ok(see_other(&path(&booking)));
    }
    let page = page(app, booking, stands, Some(Notice::limited())).await?;
    let status = problem.status();
    let wait = problem.into_response().headers_mut().remove(header::RETRY_AFTER);
    let headers: HeaderMap = wait.map(|wait| (header::RETRY_AFTER, wait)).into_iter().collect();
    Ok((status, headers, page).into_response())
}

/// In an address: the fan chose other seats while holding these.
const HELD_ALREADY: (&str, &str) = ("held", "already");
/// The hold was just made longer.
const MORE_TIME: (&str, &str) = ("time", "more");

fn says(query: &str, (name, value): (&str, &str)) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|pair| pair == (name.into(), value.into()))
}

async fn page(app: &App, booking: Booking, stands: Stands, notice: Option<Notice>) -> Result<Response, Problem> {
    let details = app.details.of(&app.pool, booking.event_id).await.map_err(Error::from)?;
    let details = details.ok_or(Error::EventUnknown)?;
    let policy = match &stands {
        Stands::Payable(way) => way.policy(),
        _ => None,
    };
    let with_codes = matches!(stands, Stands::Done);
    let timezone = details.event.venue.timezone.as_deref();
    let page = Page {
        site: app.site.clone(),
        when: words::when(&details.event),
        seats: tickets::lines(app, &booking, &details, with_codes).await?,
        fees: tickets::fees(app, &booking).await?,
        time: Time::of(app, &booking, timezone)?,
        total: words::money(booking.total_amount, &booking.currency),
        reference: reference(booking.booking_id),
        now: app.clock.now(),
        is_late: booking.completed_at().is_some_and(|completed| completed > booking.expires_at()),
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
    fn a_reference_is_short() {
        assert_eq!(reference(Uuid::from_u128(0xABCD_EF01 << 96)), "ABCD-EF01");
    }
}
