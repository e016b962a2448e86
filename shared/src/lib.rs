//! Plumbing, without one word of the domain.
//!
//! A role of Onsale is an [`axum::Router`] and some background jobs. This crate is
//! everything around them. [`settings`] reads a file, the environment and flags into one
//! value; [`telemetry`] starts logs and metrics; [`lifecycle`] holds the background jobs
//! and the stop; [`http::front`] puts the middleware around the router, in one order with
//! its reasons; [`server::serve`] carries it over TLS with every limit named, and drains;
//! [`private`] answers health and metrics on a port of its own.
//!
//! A handler speaks [`json`] in and out and answers a [`problem`] when it must refuse;
//! [`openapi`] completes the documents that describe both; [`pages`] are for people, with numbers as [`words`] say them, and
//! [`sse`] keeps them live. [`client_address`] says who asks
//! and [`rate_limit`] how often they may. Time comes from a [`clock`] and from nowhere else.
//!
//! Secrets start at a [`keyring`]: a MAC or key for each purpose is derived from it, and
//! the [`vault`] seals personal fields with it. [`encoding`] has the few byte formats used
//! everywhere.
//!
//! [`redis`] and [`postgres`] connect, refuse what is unsafe, and never hang;
//! [`private_stack`] starts servers of our own where none are given, and `testing` (a feature) gives
//! every test a world of its own on them; [`crash`] ends a process where a test wants to see what is left.

pub mod settings;
pub mod telemetry;

pub mod lifecycle;
pub mod server;

pub mod http;
pub mod private;

pub mod json;
pub mod openapi;
pub mod problem;

pub mod pages;
pub mod sse;
pub mod words;

pub mod client_address;
pub mod rate_limit;

pub mod clock;

pub mod encoding;
pub mod keyring;
pub mod vault;

pub mod postgres;
pub mod private_stack;
pub mod redis;

pub mod crash;

#[cfg(feature = "testing")]
pub mod testing;
