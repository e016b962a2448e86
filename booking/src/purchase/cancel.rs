//! The fan gives a booking up before paying.

use serde_json::Value;
use uuid::Uuid;

use super::bookings::{self, Status};
use super::document;
use super::release::{self, Reason};
use crate::app::App;
use crate::error::{Error, Result};

/// Idempotent: a booking that is cancelled stays so, whatever the reason was.
///
/// # Errors
/// `BookingCompleted` when it was sold, maybe at this very moment.
pub(crate) async fn cancel(app: &App, user_id: Uuid, booking_id: Uuid) -> Result<Value> {
    bookings::find_own(&app.pool, booking_id, user_id).await?.ok_or(Error::BookingUnknown)?;
    release::release(app, booking_id, Reason::GivenUp).await?;
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    if booking.status == Status::Completed {
        return Err(Error::BookingCompleted);
    }
    document::of(app, &booking).await
}
