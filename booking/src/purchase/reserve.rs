//! The checkout transaction, for as many bookings as wait: idempotency records, redemptions, bookings, claims, limits
//! and payment attempts. Each booking gets all of it or nothing.
//!
//! Set by set: lock what all of them want ([`look`]), read it as it stands behind the locks, decide about one after
//! the other in memory ([`decide`]), write what the winners get ([`write`]). Losers write nothing. Every booking is
//! decided when all before it are, so a seat is lost to a winner only, never to a neighbour that fails itself.
//! Indexes, CHECKs and row counts stand behind the decision: should they disagree, nothing of the batch is committed.

mod decide;
mod look;
mod write;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use super::counter::Batch;
use super::sale::Sale;
use crate::error::Error;

use decide::{Decided, Win, decide};

/// A booking about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    pub booking_id: Uuid,
    pub event_id: Uuid,
    pub sale: Arc<Sale>,
    pub user_id: Uuid,
    /// The fan's idempotency key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// Where the fan stood in the line: base64url of the 16 bytes.
    pub place: String,
    /// The admission token's id.
    pub jti: String,
    pub admitted_at: Timestamp,
    /// The token's end.
    pub admitted_until: Timestamp,
    /// How long a seat that came back is kept for fans admitted after its return.
    pub returned_first: Duration,
    /// The most one ticket may cost before fees, in minor units.
    pub max_price: Option<i64>,
    pub now: Timestamp,
    /// End of the hold.
    pub expires_at: Timestamp,
}

/// Which tickets it may have.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// These: wait for whoever is deciding about them.
    Exactly(Vec<i64>),
    /// The first of these blocks that nobody is deciding about.
    FirstOf(Vec<Vec<i64>>),
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed; the ordinals are the booking's.
    Reserved(Vec<u32>),
    /// Nothing written: somebody has these ordinals, or (of several blocks) all of them are in use.
    Taken(Vec<u32>),
    /// Nothing written: a request under the same key was faster. Ask [`super::idempotency::next`] what became of it.
    KeyInUse,
}

/// A draft and what it wants.
#[derive(Debug)]
pub struct Wish {
    pub draft: Arc<Draft>,
    pub wanted: Wanted,
}

impl Wish {
    fn tickets(&self) -> impl Iterator<Item = i64> {
        let blocks = match &self.wanted {
            Wanted::Exactly(block) => std::slice::from_ref(block),
            Wanted::FirstOf(blocks) => blocks.as_slice(),
        };
        blocks.iter().flatten().copied()
    }
}

/// Decides about all of them, first come, first served. No two may be of the same account or place.
///
/// # Errors
/// Nothing was committed, or nobody knows.
pub(crate) async fn reserve(pool: &PgPool, wishes: &[Wish]) -> Batch<Outcome> {
    let mut tx = pool.begin().await?;
    let mut locked = look::lock(&mut tx, wishes).await?;
    shared::crash::point("reserve.locked");
    let facts = look::facts(&mut *tx, wishes, &mut locked).await?;
    let mut seats = locked.seats;
    seats.extend(look::others(&mut *tx, wishes, &seats).await?);
    let decided = decide(wishes, facts, &seats);
    let wins: Vec<&Win> = decided.iter().filter_map(Decided::win).collect();
    if wins.is_empty() {
        tx.rollback().await?;
    } else {
        write::write(&mut tx, wishes, &wins).await?;
        shared::crash::point("reserve.deciding");
        tx.commit().await?;
        shared::crash::point("reserve.committed");
    }
    Ok(decided.into_iter().map(Decided::told).collect())
}

/// What a constraint means that was violated by one booking alone.
pub(super) fn refusal(error: sqlx::Error) -> Error {
    match shared::postgres::constraint(&error) {
        Some("fan_limits_within") => Error::Limit,
        Some("redemptions_one_live_per_account") => Error::PlaceBound("the account has another place in this drop"),
        _ => error.into(),
    }
}

/// What the look has found missing was there when it was to be written.
pub(super) fn is_overtaken(error: &sqlx::Error) -> bool {
    const BY: [&str; 6] = [
        "claims_one_live_per_ticket",
        "bookings_one_open_per_place",
        "bookings_pkey",
        "redemptions_pkey",
        "fan_limits_pkey",
        "idempotency_pkey",
    ];
    shared::postgres::constraint(error).is_some_and(|name| BY.contains(&name))
}
