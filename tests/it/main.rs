//! The real binary, as people and other programs use it.

mod support;

mod browser;
mod command_line;
#[cfg(feature = "failpoints")]
mod crash;
mod draw;
mod faults;
mod import;
mod kill;
mod provider;
mod proxy;
mod steering;
mod tls;
mod up;
