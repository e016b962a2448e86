//! Fans' accounts: registering, signing in and out.
//!
//! Addresses and phone numbers are personal data: they are sealed field by field before they reach Postgres, found
//! again through a blind index, and appear in no log and no error. Passwords are hashed by argon2id a few at a time.

mod orders;
mod registration;
mod sessions;
mod sign_in;
mod users;

pub(crate) use orders::{Order, orders};
pub(crate) use registration::{Registration, Unfit, register};
pub(crate) use sessions::{COOKIE, SignedIn, forget_expired, is_revoked, revoke};
pub(crate) use sign_in::sign_in;
pub(crate) use users::username;
