//! The waiting page: what a fan looks at for an hour, on a phone, in the sun.
//!
//! One URL. GET shows where the fan stands and changes nothing (but for the cookie that makes the place
//! exist before it is taken); POST does what a button says and answers 303. Without JavaScript the page asks
//! again by itself; with it the stream ([`crate::routes::events`]) tells it everything, and nothing is
//! fetched again when a drop pauses: a hundred thousand fans would come at once.

mod act;
mod brand;
mod catalogue;
mod draw;
mod face;
mod language;
mod show;
mod shown;
mod views;
mod words;

use axum::{Router, routing::get};

pub(crate) use self::{brand::Logos, draw::show as draw};
use crate::app::App;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/queue/{drop}", get(show::show).post(act::act))
        .route("/queue/{drop}/brand/{file}", get(brand::sheet))
        .route("/queue/{drop}/logo/{file}", get(brand::logo))
}
