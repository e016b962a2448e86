//! Admission over real Redis and Postgres, each test in a world of its own.

mod api;
mod line;
mod marks;
mod pages;
mod release;
