//! Events, accounts, checkout, payments and notifications: everything a fan does
//! except queueing.
//!
//! Reading (search, details, seat maps) is open to everybody and answers from an
//! index and caches of this process. Buying takes an admission token, which this
//! crate verifies and never makes. Postgres decides who owns a seat; Redis only
//! spares it work.
//!
//! [`build`] is the composition root that production and tests share.

mod app;
pub mod settings;

mod error;
mod extract;
mod fresh;
mod metrics;
mod openapi;
mod pages;
mod routes;

pub mod catalogue;
pub mod search;
pub mod seats;

pub mod accounts;
pub mod notify;
pub mod payments;
pub mod purchase;

pub mod sandbox;

pub use app::{App, Deps, build};
pub use error::Error;
pub use openapi::openapi;
pub use settings::Settings;

/// The assets of this role's pages.
pub fn assets() -> shared::pages::Set {
    #[derive(rust_embed::Embed)]
    #[folder = "assets/"]
    struct Embedded;
    shared::pages::Set::of::<Embedded>("booking")
}
