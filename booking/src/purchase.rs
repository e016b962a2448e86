//! The money path: checkout → payment → settle → capture, and everything that may go wrong between.
//!
//! Postgres decides who owns a ticket, in one transaction each for taking ([`reserve`]), selling
//! ([`sell`]) and freeing ([`release`]). What the provider says is fetched, never taken from a payload
//! ([`settle`]). Whatever must happen after a commit stands in the [`outbox`], written by that commit.
//!
//! Every transaction locks in this order: idempotency record, booking, redemption, tickets by id, claims,
//! fan limit. So two of them wait for each other in one direction only.

// what a fan asks for
pub(crate) mod cancel;
pub(crate) mod checkout;
pub(crate) mod confirm;
pub(crate) mod document;

// the three decisions
pub mod release;
pub mod reserve;
pub mod sell;

// between us and the provider
pub(crate) mod decision;
pub(crate) mod intents;
pub mod settle;

// what runs by itself, started by `jobs`
pub mod expiry;
pub mod outbox;
pub mod poller;
pub mod purge;
pub mod stock;

// rows, one noun each
pub(crate) mod attempts;
pub mod bookings;
pub(crate) mod claims;
pub(crate) mod fan_limits;
pub mod idempotency;
pub(crate) mod redemptions;
pub(crate) mod sale;
pub(crate) mod tickets;

mod jobs;

pub(crate) use jobs::spawn;
