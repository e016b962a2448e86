//! A completed booking is undone: the seats come back, the money goes back, the fan is told.

use sqlx::PgPool;
use uuid::Uuid;

use super::bookings::{self, Status};
use super::release::{self, Reason, Returned};
use crate::app::App;
use crate::error::Error;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// Committed; the outbox gives the money back.
    Now,
    /// It was refunded before, or is being refunded.
    Before,
}

#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    #[error("no such booking")]
    Unknown,
    #[error("the booking is {0}: there is no sale to undo")]
    NotCompleted(&'static str),
    #[error("the refund was not written down")]
    Failed(#[from] Error),
}

impl From<sqlx::Error> for RefundError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// [`refund`] by a process that can tell the others at once.
///
/// # Errors
/// As there.
pub async fn here(app: &App, booking_id: Uuid) -> Result<Refunded, RefundError> {
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(RefundError::Unknown)?;
    let returned = Returned::of(&app.line, &booking.drop_id, app.clock.now()).await;
    let refunded = refund(&app.pool, booking_id, returned).await?;
    if refunded == Refunded::Now {
        release::tell(app, &booking, Reason::Refunded).await?;
    }
    Ok(refunded)
}

/// One transaction: the booking is cancelled, its tickets are available, the fan's limit is given back, and the outbox
/// holds the refund and a letter. A capture under way at this moment is refunded, too.
///
/// # Errors
/// `NotCompleted` when there is no sale to undo.
pub async fn refund(pool: &PgPool, booking_id: Uuid, returned: Returned) -> Result<Refunded, RefundError> {
    let mut tx = pool.begin().await?;
    let booking = bookings::lock(&mut *tx, booking_id).await?.ok_or(RefundError::Unknown)?;
    match booking.status {
        Status::Completed => {}
        Status::Cancelled if booking.why() == Reason::Refunded.as_str() => return Ok(Refunded::Before),
        status => return Err(RefundError::NotCompleted(status.as_str())),
    }
    release::undo_sale(&mut tx, &booking, Reason::Refunded, returned).await?;
    shared::crash::point("refund.decided");
    tx.commit().await?;
    Ok(Refunded::Now)
}
