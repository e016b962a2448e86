//! `GET /account`: a fan's bookings, or the two short forms that lead to them; and what those forms do. A fan
//! who comes from a line or from seats goes back exactly there.

mod forms;
mod seats;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{AppendHeaders, IntoResponse as _, Response},
};
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use shared::{
    client_address::ClientAddress,
    http::cookies,
    pages::{self, Form, Site, local_path, see_other},
    problem::Problem,
};

use self::forms::{Entered, Fault, Forms, SignIn, SignUp};
use super::{
    sale::{self, Badge},
    seats::{WISH_COOKIE, go_on},
    words::{self, When},
};
use crate::{
    accounts::{self, Order, Registration, SignedIn},
    app::App,
    error::Error,
    extract::Fan,
    purchase::bookings::Status,
};

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    site: Site,
    username: String,
    rows: Vec<Row>,
}

/// A booking as it is listed.
struct Row {
    path: String,
    name: String,
    when: When,
    place: String,
    seats: String,
    total: String,
    badge: Badge,
    /// Words on the link.
    next: &'static str,
    /// There is something to be done.
    is_urgent: bool,
}

/// The bookings, or the forms; signed in and on the way to somewhere, straight there.
pub(crate) async fn show(
    State(app): State<App>,
    fan: Result<Fan, Error>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let next = next_in(raw.as_deref().unwrap_or_default());
    let fan = match fan {
        Ok(fan) => fan,
        Err(Error::SessionMissing) => {
            return Ok(Forms::new(&app, &headers, next, Entered::default()).page(StatusCode::OK));
        }
        Err(Error::SessionInvalid) => {
            let mut forms = Forms::new(&app, &headers, next, Entered::default());
            forms.is_over = true;
            return Ok(forms.page(StatusCode::OK));
        }
        Err(other) => return Err(other.into()),
    };
    if let Some(next) = next {
        return Ok(see_other(&next));
    }
    let orders = accounts::orders(&app.pool, fan.user_id).await?;
    let now = app.clock.now();
    let rows = join_all(orders.iter().map(async |order| row(order, seats::of(&app, order).await, now))).await;
    Ok(pages::page(&Account {
        username: accounts::username(&app.pool, fan.user_id).await?.unwrap_or_default(),
        rows,
        site: app.site.clone(),
    }))
}

/// 303 to where the fan was going, with the session's cookie; or the form again.
pub(crate) async fn sign_in(
    State(app): State<App>,
    address: ClientAddress,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Problem> {
    let next = local_path(&form.next).map(str::to_owned);
    match accounts::sign_in(&app, &form.email, form.password).await {
        Ok(signed_in) => Ok(signed_in_onwards(&app, &headers, address, next.as_deref(), &signed_in).await),
        Err(Error::Credentials) => {
            let entered = Entered { email: form.email, ..Entered::default() };
            let mut forms = Forms::new(&app, &headers, next, entered);
            forms.sign_in_fault = Some("The email and the password do not belong together.");
            Ok(forms.page(StatusCode::UNAUTHORIZED))
        }
        Err(other) => Err(other.into()),
    }
}

/// 303 to where the fan was going, with the session's cookie; or the form again.
pub(crate) async fn sign_up(
    State(app): State<App>,
    address: ClientAddress,
    headers: HeaderMap,
    Form(form): Form<SignUp>,
) -> Result<Response, Problem> {
    let next = local_path(&form.next).map(str::to_owned);
    let registration = Registration::new(&form.username, &form.email, form.password, Some(form.phone.as_str()));
    let entered = Entered { username: form.username, email: form.email, phone: form.phone };
    let again = |fault: Fault, status: StatusCode| {
        let mut forms = Forms::new(&app, &headers, next.clone(), entered);
        forms.sign_up_fault = Some(fault);
        Ok(forms.page(status))
    };
    let registration = match registration {
        Ok(registration) => registration,
        Err(unfit) => return again(Fault::from(unfit), StatusCode::UNPROCESSABLE_ENTITY),
    };
    match accounts::register(&app, registration).await {
        Ok(signed_in) => Ok(signed_in_onwards(&app, &headers, address, next.as_deref(), &signed_in).await),
        Err(Error::EmailTaken) => again(Fault::taken(), StatusCode::CONFLICT),
        Err(other) => Err(other.into()),
    }
}

/// Signs out; who is signed out already is where they wanted to be.
pub(crate) async fn sign_out(State(app): State<App>, fan: Result<Fan, Error>) -> Result<Response, Problem> {
    match fan {
        Ok(fan) => {
            accounts::revoke(&app.pool, &fan.session).await?;
            accounts::forget_expired(&app.pool, app.clock.now()).await?;
        }
        Err(Error::SessionMissing | Error::SessionInvalid) => {}
        Err(other) => return Err(other.into()),
    }
    Ok(onwards(None, cookies::set(accounts::COOKIE, "", 0)))
}

/// Seats that were asked for before signing in are held now: nobody has to press twice.
async fn signed_in_onwards(
    app: &App,
    headers: &HeaderMap,
    address: ClientAddress,
    next: Option<&str>,
    signed_in: &SignedIn,
) -> Response {
    let held = match next {
        Some(next) => go_on(app, headers, address, signed_in.user_id, next).await,
        None => None,
    };
    let onwards = onwards(held.as_deref().or(next), signed_in.cookie());
    if cookies::get(headers, WISH_COOKIE).is_none() {
        return onwards;
    }
    (AppendHeaders([(header::SET_COOKIE, cookies::set(WISH_COOKIE, "", 0))]), onwards).into_response()
}

fn onwards(next: Option<&str>, cookie: http::HeaderValue) -> Response {
    let cookie = AppendHeaders([(header::SET_COOKIE, cookie)]);
    (cookie, see_other(next.unwrap_or("/account"))).into_response()
}

/// The `next` of a query string, if it is a path of ours.
fn next_in(raw: &str) -> Option<String> {
    let (_, next) = form_urlencoded::parse(raw.as_bytes()).find(|(name, _)| name == "next")?;
    local_path(&next).map(str::to_owned)
}

fn row(order: &Order, seats: String, now: Timestamp) -> Row {
    let booking = &order.booking;
    let waits = order.waits_for_fan(now);
    Row {
        path: format!("/checkout/{}", booking.booking_id),
        name: order.event.name.clone(),
        when: words::when(&order.event),
        place: sale::place(&order.event),
        seats,
        total: words::money(booking.total_amount, &booking.currency),
        badge: badge(booking.status, booking.reason.as_deref(), waits),
        next: match (order.is_theirs(), waits) {
            (true, _) => "See your tickets",
            (_, true) => "Finish paying",
            _ => "Look at it",
        },
        is_urgent: waits,
    }
}

fn badge(status: Status, reason: Option<&str>, waits: bool) -> Badge {
    let (tone, words) = match (status, reason) {
        (Status::Completed, _) => ("good", "Yours"),
        (Status::Pending, _) if waits => ("warn", "Waits for your payment"),
        (Status::Pending, _) => ("info", "Being settled"),
        (Status::Cancelled, Some("given-up")) => ("neutral", "You gave it up"),
        (Status::Cancelled, Some("payment-lost")) => ("neutral", "A seat was withdrawn, money back"),
        (Status::Cancelled, Some("refunded")) => ("neutral", "Refunded"),
        (Status::Cancelled, Some("capture-refused")) => ("bad", "The payment was refused"),
        (Status::Cancelled, _) => ("neutral", "Time ran out"),
    };
    Badge { tone, words: words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_path_of_ours() {
        assert_eq!(next_in("a=b&next=%2Fqueue%2Fan-evening%3Fshown%3D1"), Some("/queue/an-evening?shown=1".to_owned()));
        assert_eq!(next_in("next=https%3A%2F%2Fevil.example"), None);
        assert_eq!(next_in("next=%2F%2Fevil.example"), None);
        assert_eq!(next_in(""), None);
    }

    #[test]
    fn every_outcome_has_its_word() {
        use crate::purchase::release::Reason;
        let said = |reason: Reason| badge(Status::Cancelled, Some(reason.as_str()), false).words;
        let all =
            [Reason::Expired, Reason::GivenUp, Reason::PaymentLost, Reason::CaptureRefused, Reason::Refunded].map(said);
        let apart: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(apart.len(), all.len(), "{all:?}");
    }
}
