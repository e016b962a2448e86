//! Pages for fans: finding an event, choosing seats, paying, looking at what one has. All work without
//! JavaScript: forms post to their own page and answer 303; with it they are live.

mod account;
mod drop;
mod event;
mod home;
mod search;

mod sale;

mod checkout;
mod seats;

pub(crate) mod words;

use axum::{
    Router,
    routing::{get, post},
};
use shared::rate_limit::limited;

use crate::app::{App, Limits};

/// All URLs of booking's pages. What a form does is limited together with the same thing done by API.
pub(crate) fn router(limits: &Limits) -> Router<App> {
    let (sign_in, registration) = (limited(limits.sign_in.clone()), limited(limits.registration.clone()));
    let checkout = limited(limits.checkout.clone());
    Router::new()
        .route("/e/{event_id}/seats", post(seats::choose).layer(checkout).get(seats::show))
        // counts what it does by itself, to answer with a page that one can pay on
        .route("/checkout/{booking_id}", get(checkout::show).post(checkout::act))
        // finding, open to everybody and kept for a moment
        .route("/", get(home::show))
        .route("/search", get(search::show))
        .route("/e/{event_id}", get(event::show))
        .route("/drops/{drop}", get(drop::show))
        // the fan's own
        .route("/account", get(account::show))
        .route("/account/sign-in", post(account::sign_in).layer(sign_in))
        .route("/account/sign-up", post(account::sign_up).layer(registration))
        .route("/account/sign-out", post(account::sign_out))
}
