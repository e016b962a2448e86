//! All URLs of the booking role.
//!
//! The middleware every role shares (request ids, limits, logging, the cross-site
//! guard) is put around this router by `shared::http::front`. Only rate limits stand
//! here, on the routes they guard: the outermost layer, so that a refused request
//! costs neither a body nor a password hash.

pub(crate) mod accounts;
pub(crate) mod booking;
pub(crate) mod cached;
pub(crate) mod cancel;
pub(crate) mod checkout;
pub(crate) mod confirm;
pub(crate) mod details;
pub(crate) mod extend;
pub(crate) mod layout;
pub(crate) mod once;
pub(crate) mod search;
pub(crate) mod seats;
pub(crate) mod seats_stream;
pub(crate) mod sessions;
pub(crate) mod webhook;

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use shared::rate_limit::limited;

use crate::app::App;

pub(crate) fn router(app: App) -> Router {
    let limits = &app.limits;
    let (sign_in, registration) = (limited(limits.sign_in.clone()), limited(limits.registration.clone()));
    let once = from_fn_with_state(app.clone(), once::once);
    let (checkout, confirm) = (limited(limits.checkout.clone()), limited(limits.confirm.clone()));
    Router::new()
        // reading, open to everybody
        .route("/events/search", get(search::search))
        .route("/events/details/{event_id}", get(details::details))
        .route("/events/{event_id}/seats", get(seats::snapshot))
        .route("/events/{event_id}/seats/stream", get(seats_stream::stream))
        .route("/layouts/{hash}", get(layout::layout))
        // accounts
        .route("/accounts", post(accounts::register).layer(registration))
        .route("/sessions", post(sessions::sign_in).layer(sign_in).delete(sessions::sign_out))
        // buying takes an admission; after checkout the account is enough
        .route("/booking/checkout", post(checkout::checkout).layer(checkout))
        .route("/booking/{booking_id}", get(booking::show))
        .route("/booking/confirm", post(confirm::confirm).layer(once.clone()).layer(confirm))
        .route("/booking/{booking_id}/cancel", post(cancel::cancel).layer(once.clone()))
        .route("/booking/{booking_id}/extend", post(extend::extend).layer(once))
        // the provider's own calls, signed
        .route("/payments/stripe/webhook", post(webhook::receive))
        // pages; their URLs stand there
        .merge(crate::pages::router(limits))
        .with_state(app)
}
