//! The fan's side of the line: join, status, live place, claim, leave.
//!
//! It needs Redis only. One look a second per drop ([`crowd`]) serves every fan this process holds:
//! positions are looked up in it, and what happened to a fan is read off the line's changes. A fan
//! costs Redis a command only to join, look, claim and leave.

mod app;
mod card;
mod crowd;
mod document;
mod error;
mod fan;
mod hub;
mod openapi;
mod pages;
mod routes;
mod settings;

pub use app::{Deps, build};
pub use openapi::openapi;
pub use settings::Settings;

/// The assets of this role's pages.
pub fn assets() -> shared::pages::Set {
    #[derive(rust_embed::Embed)]
    #[folder = "assets/"]
    struct Embedded;
    shared::pages::Set::of::<Embedded>("waitroom")
}
