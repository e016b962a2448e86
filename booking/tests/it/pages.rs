//! What fans read, over real stores.

mod account;
mod browser;
mod checkout;
mod find;
mod kept;
mod seats;
mod time;
mod wish;
