//! Admission over real Redis and Postgres, each test in a world of its own.

mod ahead;
mod api;
mod brand;
mod covered;
mod draw;
mod joins;
mod line;
mod mails;
mod marks;
mod moves;
mod pages;
mod release;
mod survival;
