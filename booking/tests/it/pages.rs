//! What fans read, over real stores.

mod account;
mod browser;
mod checkout;
mod find;
mod seats;
