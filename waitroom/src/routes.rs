//! All URLs of the waitroom.

pub(crate) mod claim;
pub(crate) mod code;
pub(crate) mod draw;
pub(crate) mod events;
pub(crate) mod join;
pub(crate) mod jwks;
pub(crate) mod leave;
pub(crate) mod mail;
pub(crate) mod move_place;
pub(crate) mod pulse;
pub(crate) mod status;

use axum::{
    Router,
    routing::{get, post},
};
use shared::rate_limit::limited;

use crate::{app::App, pages};

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/queue/{drop}/join", post(join::join).layer(limited(app.joins.clone())))
        .route("/queue/{drop}/status", get(status::status))
        .route("/queue/{drop}/claim", post(claim::claim))
        .route("/queue/{drop}/events", get(events::events))
        .route("/queue/{drop}/leave", post(leave::leave))
        .route("/queue/{drop}/code", post(code::code).layer(limited(app.codes.clone())))
        .route("/queue/{drop}/move", post(move_place::move_place).layer(limited(app.moves.clone())))
        .route("/queue/{drop}/mail", post(mail::ask).delete(mail::forget).layer(limited(app.mails.clone())))
        .route("/queue/{drop}/pulse", get(pulse::pulse))
        .route("/queue/{drop}/draw", get(pages::draw))
        .route("/queue/{drop}/draw/entrants", get(draw::entrants))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .merge(pages::router())
        .with_state(app)
}
