//! The operators' console: all URLs of its pages. What they do is what the API does, by the same functions and
//! on the same record.
//!
//! Every page works as plain forms; `assets/console.js` makes the figures live and sends the same forms
//! without leaving the page. Forms are kept to our own pages twice: the cookie never comes along from another
//! site, and `http::front` refuses writes from there.

mod audit;
mod drop;
mod drops;
mod logo;
mod new_drop;
mod sign_in;
mod sign_out;
mod steer;
mod typed;
mod words;

use axum::{
    Router,
    routing::{get, post},
};
use shared::rate_limit::Limited;

use crate::app::App;

pub(crate) use sign_in::sign_in_first;

/// `sign_in` is the limit that the API's sign-in counts by too.
pub(crate) fn router(sign_in: Limited) -> Router<App> {
    Router::new()
        .route("/ops", get(drops::show))
        .route("/ops/sign-in", post(sign_in::sign_in).layer(sign_in).get(sign_in::home))
        .route("/ops/sign-out", post(sign_out::sign_out).get(sign_in::home))
        .route("/ops/drops", post(new_drop::make).get(sign_in::home))
        .route("/ops/drops/{id}", get(drop::show).post(steer::steer))
        .route("/ops/drops/{id}/logo", post(logo::upload).get(logo::home))
        .route("/ops/audit", get(audit::show))
}
