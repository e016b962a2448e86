//! Servers of our own: Redis and Postgres as child processes, for `onsale up` and for tests.
//!
//! They keep their data in a folder of ours, listen on socket files only, and never touch
//! a server that already runs. They stand in process groups of their own, so that Ctrl-C
//! reaches us alone and we stop them in order; and when we die without a chance to (SIGKILL),
//! the kernel tells them to stop (Linux).

mod binaries;
mod child;
mod folder;
mod owner;
mod postgres;
mod redis;

pub use self::{
    folder::Scratch,
    postgres::{PostgresOptions, PrivatePostgres},
    redis::PrivateRedis,
};
