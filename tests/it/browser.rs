//! Every page in Chromium, through its driver: what a fan or an operator sees, not what a handler answers.
//!
//! One test at a time has browsers: two of them on two cores would only wait for each other. Nothing here waits
//! for a time to pass; [`Tab`](tab::Tab) looks until it sees what it was told to expect.

mod axe;
mod cdp;
mod driver;
mod health;
mod look;
mod sale;
mod screen;
mod tab;
mod walk;
mod way;

mod console;
mod hearing;
mod keyboard;
mod pages;
mod paying;
mod sold_out;
mod waiting;
mod whole_way;
