//! The real binary, as people and other programs use it.

mod support;

mod browser;
mod command_line;
mod draw;
mod import;
mod kill;
mod proxy;
mod steering;
mod tls;
mod up;
