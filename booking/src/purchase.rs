//! The money path: checkout → payment → settle → capture, and everything that may go wrong between.
//!
//! Postgres decides who owns a ticket, in one transaction each for taking ([`reserve`]), selling
//! ([`sell`]) and freeing ([`release`]). What the provider says is fetched, never taken from a payload
//! ([`settle`]). Whatever must happen after a commit stands in the [`outbox`], written by that commit.
//!
//! Taking and selling are done for many fans at a time: the [`counter`] gathers them.
//!
//! Every transaction locks in this order: booking, redemption, tickets by id, claims, fan limit, idempotency record;
//! many of a kind, in the order of their keys. So two of them wait for each other in one direction only; but for an
//! account's older place, which is ended late where it makes room: there Postgres decides who goes again.

// what a fan asks for
pub(crate) mod cancel;
pub(crate) mod checkout;
pub(crate) mod confirm;
pub(crate) mod document;
pub(crate) mod extend;
pub mod overview;
pub mod refund;

// the three decisions, and the counter where fans queue for two of them
pub mod counter;
pub(crate) mod regain;
pub mod release;
pub mod reserve;
pub mod sell;

// between us and the provider
pub(crate) mod decision;
pub(crate) mod intents;
pub mod settle;
pub(crate) mod undo;

// what runs by itself, started by `jobs`
pub mod expiry;
pub mod outbox;
pub mod poller;
pub mod purge;
pub mod reconcile;
pub mod stock;

// rows, one noun each
pub(crate) mod attempts;
pub mod bookings;
pub(crate) mod claims;
pub(crate) mod fan_limits;
pub mod fees;
pub mod idempotency;
pub(crate) mod looks;
pub(crate) mod redemptions;
pub mod sale;
pub(crate) mod tickets;

mod jobs;

pub(crate) use jobs::spawn;
