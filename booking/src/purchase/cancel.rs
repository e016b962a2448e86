//! The fan gives a booking up before paying.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::bookings::{self, Status};
use super::document;
use super::release::{self, Reason};
use super::undo::{self, Undone};
use crate::app::App;
use crate::error::{Error, Result};

/// How long the fan waits for the provider's word; afterwards [`super::expiry`] asks on.
const ASK_BUDGET: Duration = Duration::from_secs(8);

/// What came of it: the booking's document.
pub(crate) enum Cancelled {
    Done(Value),
    /// Written down; the seats are free when the provider has cancelled the payment, or at the cap.
    UnderWay(Value),
}

/// Idempotent: a booking that is cancelled stays so, whatever the reason was. The provider cancels first, then the
/// seats are freed: a fan whose bank says yes at this moment has either the tickets or the money.
///
/// # Errors
/// `BookingCompleted` when it was sold, maybe at this very moment.
pub(crate) async fn cancel(app: &App, user_id: Uuid, booking_id: Uuid) -> Result<Cancelled> {
    bookings::find_own(&app.pool, booking_id, user_id).await?.ok_or(Error::BookingUnknown)?;
    if give_up(&app.pool, booking_id).await? && is_undone(app, booking_id).await? {
        release::release(app, booking_id, Reason::GivenUp).await?;
    }
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    let document = document::of(app, &booking).await?;
    match booking.status {
        Status::Completed => Err(Error::BookingCompleted),
        Status::Cancelled => Ok(Cancelled::Done(document)),
        Status::Pending => Ok(Cancelled::UnderWay(document)),
    }
}

/// The booking takes no new attempt, and buys nothing any more. False when it was not pending.
async fn give_up(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<bool> {
    let done =
        sqlx::query("UPDATE bookings SET phase = 'expiring', reason = $2 WHERE booking_id = $1 AND status = 'pending'")
            .bind(booking_id)
            .bind(Reason::GivenUp.as_str())
            .execute(db)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether nothing can be paid any more. Money that was taken by itself goes back when the booking is cancelled.
async fn is_undone(app: &App, booking_id: Uuid) -> Result<bool> {
    match tokio::time::timeout(ASK_BUDGET, undo::cancel_all(app, booking_id)).await {
        Ok(Ok(Undone::All | Undone::Paid)) => Ok(true),
        Ok(Ok(Undone::InBank)) | Err(_) => Ok(false),
        Ok(Err(Error::Provider(error))) => {
            tracing::warn!(%booking_id, error = format!("{:#}", anyhow::Error::from(error)), "given up; cancelled later");
            Ok(false)
        }
        Ok(Err(error)) => Err(error),
    }
}
