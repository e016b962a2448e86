//! Proofs a handler takes as arguments: that the fan is signed in, that the visitor is admitted,
//! that the request can be repeated safely.

mod admitted;
mod fan;
mod idempotency_key;

pub(crate) use admitted::Admitted;
pub(crate) use fan::Fan;
pub(crate) use idempotency_key::IdempotencyKey;
