//! Money, through Stripe's HTTP API at a configurable address.
//!
//! [`Stripe`] is a thin client that knows one way to pay: a payment intent for the whole booking, authorised by
//! the fan, captured by us. What the provider says is always fetched from it; a webhook is only a hint that
//! something happened, and [`signature`] tells a real hint from a forged one.

pub mod signature;

mod error;
mod intent;
mod stripe;

pub use error::StripeError;
pub use intent::{Charge, Intent, IntentStatus, NewIntent, PAYMENT_MAX, Page, PaymentError, Refund, RefundStatus};
pub use stripe::Stripe;
