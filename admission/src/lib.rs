//! Who may enter, and when.
//!
//! A drop's line stands in Redis ([`line`]): places wait in order of their keys, are called when
//! their turn comes, claim, and are granted admissions from a token bucket on Redis's clock. The
//! decisions are plain functions without I/O: how far to call ahead ([`pace`]), what position and
//! wait to show ([`position`], [`estimate`]), how the lobby is drawn ([`draw`]). What a fan holds is a
//! [`pass`] (a MAC, checked by us) and, once admitted, a [`token`] (EdDSA, checked by anybody).
//!
//! The service itself ([`build`]) runs the release loop, writes what must outlive Redis to Postgres
//! ([`marks`]) and serves the operators' API.

pub mod code;
pub mod ids;
pub mod pass;
pub mod password;
pub mod presented;
pub mod session;
pub mod token;

pub mod chance;
pub mod draw;
pub mod estimate;
pub mod line;
pub mod pace;
pub mod position;

pub mod audit;
pub mod brand;
pub mod drops;
pub mod mails;
pub mod marks;
pub mod operators;
pub mod release;

pub mod credentials;

mod app;
mod error;
mod extract;
mod openapi;
mod pages;
mod routes;
mod settings;

pub use app::{BOOKING_SILENT, Deps, build};
pub use openapi::openapi;
pub use settings::Settings;

/// The assets of this role's pages.
pub fn assets() -> shared::pages::Set {
    #[derive(rust_embed::Embed)]
    #[folder = "assets/"]
    struct Embedded;
    shared::pages::Set::of::<Embedded>("admission")
}
