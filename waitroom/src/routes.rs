//! All URLs of the waitroom.

pub(crate) mod claim;
pub(crate) mod events;
pub(crate) mod join;
pub(crate) mod jwks;
pub(crate) mod leave;
pub(crate) mod pulse;
pub(crate) mod status;

use axum::{
    Router,
    routing::{get, post},
};
use shared::rate_limit::{RateLimit, limited};

use crate::{Settings, app::App};

pub(crate) fn router(app: App, settings: &Settings) -> Router {
    let joins = RateLimit::new("join", settings.join);
    Router::new()
        .route("/queue/{drop}/join", post(join::join).layer(limited(joins)))
        .route("/queue/{drop}/status", get(status::status))
        .route("/queue/{drop}/claim", post(claim::claim))
        .route("/queue/{drop}/events", get(events::events))
        .route("/queue/{drop}/leave", post(leave::leave))
        .route("/queue/{drop}/pulse", get(pulse::pulse))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .with_state(app)
}
