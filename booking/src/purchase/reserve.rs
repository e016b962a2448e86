//! The checkout transaction: idempotency record, redemption, booking, claims, limit and payment attempt,
//! all of it or nothing.

use jiff::Timestamp;
use sqlx::{PgPool, PgTransaction};
use uuid::Uuid;

use super::bookings::{self, NewBooking};
use super::idempotency::{self, Key};
use super::redemptions::{self, Redemption};
use super::sale::Sale;
use super::tickets::{self, Locked};
use super::{attempts, claims, fan_limits};
use crate::error::{Error, Result};
use crate::payments::PAYMENT_MAX;

/// A booking about to be made.
pub(crate) struct Draft<'a> {
    pub(crate) booking_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) sale: &'a Sale,
    pub(crate) key: &'a Key<'a>,
    pub(crate) redemption: &'a Redemption<'a>,
    pub(crate) now: Timestamp,
    /// End of the hold.
    pub(crate) expires_at: Timestamp,
}

/// Which tickets it may have.
pub(crate) enum Wanted<'a> {
    /// These: wait for whoever is deciding about them.
    Exactly(&'a [i64]),
    /// The first of these that nobody is deciding about.
    FirstOf(&'a [Vec<i64>]),
}

/// How the transaction ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Committed; the ordinals are the booking's.
    Reserved(Vec<u32>),
    /// Rolled back: somebody has these ordinals, or (of several blocks) all of them are in use.
    Taken(Vec<u32>),
    /// Rolled back: a request under the same key was faster. Ask [`idempotency::next`] what became of it.
    KeyInUse,
}

pub(crate) async fn reserve(pool: &PgPool, draft: &Draft<'_>, wanted: Wanted<'_>) -> Result<Outcome> {
    let mut tx = pool.begin().await?;
    if !idempotency::insert(&mut *tx, draft.key, draft.booking_id, draft.now).await? {
        return Ok(Outcome::KeyInUse);
    }
    redemptions::redeem(&mut tx, draft.redemption, draft.now).await?;
    // the redemption is locked, so no other booking of this place can appear
    if let Some(booking_id) = bookings::open_of_place(&mut *tx, &draft.sale.drop_id, draft.redemption.place).await? {
        return Err(Error::BookingOpen { booking_id });
    }
    let locked = match wanted {
        Wanted::Exactly(ticket_ids) => tickets::lock(&mut *tx, ticket_ids).await?,
        Wanted::FirstOf(blocks) => first_free(&mut tx, blocks).await?,
    };
    let asked: Vec<i64> = match wanted {
        Wanted::Exactly(ticket_ids) => ticket_ids.to_vec(),
        Wanted::FirstOf(_) => locked.iter().map(|ticket| ticket.ticket_id).collect(),
    };
    if locked.is_empty() || locked.len() != asked.len() {
        return refused(tx, &asked, draft.booking_id).await;
    }
    let total = total(&locked)?;
    insert_booking(&mut tx, draft, locked.len(), total).await?;
    let claimed = claims::hold(&mut *tx, draft.booking_id, &asked, draft.now).await?;
    if claimed != asked.len() as u64 {
        return refused(tx, &asked, draft.booking_id).await;
    }
    take_from_limit(&mut tx, draft, asked.len()).await?;
    attempts::insert(&mut *tx, Uuid::new_v4(), draft.booking_id, draft.now).await?;
    tx.commit().await?;
    Ok(Outcome::Reserved(locked.iter().filter_map(|ticket| u32::try_from(ticket.ordinal).ok()).collect()))
}

/// Minor units.
///
/// # Errors
/// `Unpayable`: nothing is held for a fan who could never pay it.
fn total(locked: &[Locked]) -> Result<i64> {
    let total = locked.iter().try_fold(0_i64, |sum, ticket| sum.checked_add(ticket.price));
    total.filter(|total| (1..=PAYMENT_MAX).contains(total)).ok_or(Error::Unpayable { max: PAYMENT_MAX })
}

/// Locks what is free of all blocks and takes the first block that is free as a whole.
async fn first_free(tx: &mut PgTransaction<'_>, blocks: &[Vec<i64>]) -> Result<Vec<Locked>> {
    let all: Vec<i64> = blocks.iter().flatten().copied().collect();
    let mut free = tickets::lock_free(&mut **tx, &all).await?;
    let has = |ticket_id: &i64| free.iter().any(|ticket| ticket.ticket_id == *ticket_id);
    let Some(block) = blocks.iter().find(|block| block.iter().all(has)) else { return Ok(Vec::new()) };
    free.retain(|ticket| block.contains(&ticket.ticket_id));
    Ok(free)
}

/// The database said no: learn which, and leave nothing behind.
async fn refused(mut tx: PgTransaction<'_>, asked: &[i64], booking_id: Uuid) -> Result<Outcome> {
    let taken = tickets::unavailable(&mut *tx, asked, booking_id).await?;
    tx.rollback().await?;
    Ok(Outcome::Taken(taken.into_iter().filter_map(|ordinal| u32::try_from(ordinal).ok()).collect()))
}

async fn insert_booking(tx: &mut PgTransaction<'_>, draft: &Draft<'_>, quantity: usize, total: i64) -> Result<()> {
    let new = NewBooking {
        booking_id: draft.booking_id,
        user_id: draft.key.user_id,
        event_id: draft.event_id,
        drop_id: &draft.sale.drop_id,
        place: draft.redemption.place,
        total_amount: total,
        currency: &draft.sale.currency,
        quantity: i32::try_from(quantity).map_err(anyhow::Error::from)?,
        now: draft.now,
        expires_at: draft.expires_at,
    };
    Ok(bookings::insert(&mut **tx, &new).await?)
}

async fn take_from_limit(tx: &mut PgTransaction<'_>, draft: &Draft<'_>, quantity: usize) -> Result<()> {
    let quantity = i32::try_from(quantity).map_err(anyhow::Error::from)?;
    let added =
        fan_limits::add(&mut **tx, &draft.sale.drop_id, draft.key.user_id, quantity, draft.sale.max_per_fan).await;
    added.map_err(|error| match shared::postgres::constraint(&error) {
        Some("fan_limits_within") => Error::Limit,
        _ => error.into(),
    })
}
