//! A thin HTTP/1.1 client: one fan, one address, one connection for calls and one for the stream.
//!
//! A pooled client would share connections between fans and hide when one is made; a real fan has
//! sockets of their own, and that is part of the load. Plain http only: TLS is for the proxy's own
//! tests, and its handshakes would measure this process rather than the server.

mod call;
mod client;
mod stream;
mod target;

pub(crate) use call::{Answer, Call, Retry, Trouble};
pub(crate) use client::Client;
pub(crate) use stream::Stream;
pub(crate) use target::{Target, loopback};
