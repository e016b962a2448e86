//! The plumbing, run for real: sockets, TLS, child processes, Redis and Postgres.

mod front;
mod lifecycle;
mod private;
mod private_stack;
mod rate_limit;
mod redis;
mod server;
mod world;

mod process;
