//! More time: a fan who was warned asks for it, up to a stated number of times.
//! <https://www.w3.org/WAI/WCAG22/Understanding/timing-adjustable>

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::{document, expiry, tickets};
use crate::app::App;
use crate::error::{Error, Result};

/// Moves the end of the hold by `extension_s`; the booking's document. A hold lasts at most
/// `hold_s + extensions_max × extension_s`.
///
/// # Errors
/// `Extension` when the fan has had all of it; `BookingCompleted`, `BookingExpired`.
pub(crate) async fn extend(app: &App, user_id: Uuid, booking_id: Uuid) -> Result<Value> {
    let (now, settings) = (app.clock.now(), &app.settings);
    let booking = bookings::find_own(&app.pool, booking_id, user_id).await?.ok_or(Error::BookingUnknown)?;
    check(&booking, now)?;
    let more = Duration::from_secs(settings.extension_s);
    let longer = booking.expires_at().saturating_add(more).map_err(anyhow::Error::from)?;
    if !move_end(&app.pool, &booking, longer, settings.extensions_max, now).await? {
        let seen = booking.extensions;
        let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
        check(&booking, now)?;
        // the other one of a double click was faster: the fan has more time
        let faster = booking.extensions > seen;
        return if faster { document::of(app, &booking).await } else { Err(Error::Extension) };
    }
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    let keep = expiry::cap(app, &booking)?.duration_since(now);
    let ordinals = tickets::ordinals_of(&app.pool, booking_id).await?;
    let keep = Duration::try_from(keep).unwrap_or_default();
    app.seats.holds.mark(&app.redis, booking.event_id, booking_id, &ordinals, Some(keep)).await;
    document::of(app, &booking).await
}

fn check(booking: &Booking, now: Timestamp) -> Result<()> {
    match booking.status {
        Status::Completed => Err(Error::BookingCompleted),
        _ if !booking.is_payable(now) => Err(Error::BookingExpired { reason: booking.why() }),
        _ => Ok(()),
    }
}

/// How often the fan may still ask.
pub(crate) fn left(app: &App, booking: &Booking) -> u32 {
    if !booking.is_payable(app.clock.now()) {
        return 0;
    }
    app.settings.extensions_max.saturating_sub(booking.extensions.unsigned_abs())
}

/// False when there is no more, or the end was moved or has come meanwhile.
async fn move_end(
    db: impl PgExecutor<'_>,
    booking: &Booking,
    to: Timestamp,
    extensions_max: u32,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE bookings SET expires_at = $3, extensions = extensions + 1
         WHERE booking_id = $1 AND extensions = $2 AND extensions < $4
           AND status = 'pending' AND phase = 'open' AND expires_at > $5",
    )
    .bind(booking.booking_id)
    .bind(booking.extensions)
    .bind(to.to_sqlx())
    .bind(i32::try_from(extensions_max).unwrap_or(i32::MAX))
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
