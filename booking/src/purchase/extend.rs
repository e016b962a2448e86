//! More time: a fan who was warned asks for it, up to a stated number of times.
//! <https://www.w3.org/WAI/WCAG22/Understanding/timing-adjustable>

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::bookings::{self, Booking, Status};
use super::idempotency::{self, Under};
use super::{document, expiry, tickets};
use crate::app::App;
use crate::error::{Error, Result};

/// Moves the end of the hold by `extension_s`; the booking's document. A hold lasts at most
/// `hold_s + extensions_max × extension_s`. Under a key that is done once, whatever dies in between.
///
/// # Errors
/// `Extension` when the fan has had all of it; `BookingCompleted`, `BookingExpired`.
pub(crate) async fn extend(app: &App, user_id: Uuid, booking_id: Uuid, under: Option<&Under>) -> Result<Value> {
    let (now, settings) = (app.clock.now(), &app.settings);
    let booking = bookings::find_own(&app.pool, booking_id, user_id).await?.ok_or(Error::BookingUnknown)?;
    if under.is_some_and(|under| under.is_done) {
        return longer(app, &booking, now).await;
    }
    check(&booking, now)?;
    let more = Duration::from_secs(settings.extension_s);
    let end = booking.expires_at().saturating_add(more).map_err(anyhow::Error::from)?;
    match move_end(app, &booking, end, under, now).await? {
        Moved::Now | Moved::Before => {}
        Moved::Not => {
            let seen = booking.extensions;
            let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
            check(&booking, now)?;
            // the other one of a double click was faster: the fan has more time
            let faster = booking.extensions > seen;
            return if faster { document::of(app, &booking).await } else { Err(Error::Extension) };
        }
    }
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    longer(app, &booking, now).await
}

/// The end was moved: Redis learns it, too, while it may be paid, and the fan.
async fn longer(app: &App, booking: &Booking, now: Timestamp) -> Result<Value> {
    if booking.is_payable(now) {
        let keep = Duration::try_from(expiry::cap(app, booking)?.duration_since(now)).unwrap_or_default();
        let ordinals = tickets::ordinals_of(&app.pool, booking.booking_id).await?;
        app.seats.holds.mark(&app.redis, booking.event_id, booking.booking_id, &ordinals, Some(keep)).await;
    }
    document::of(app, booking).await
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

enum Moved {
    Now,
    /// By another request under the same key.
    Before,
    /// There is no more, or the end was moved or has come meanwhile.
    Not,
}

/// One transaction with the key's record.
async fn move_end(app: &App, booking: &Booking, to: Timestamp, under: Option<&Under>, now: Timestamp) -> Result<Moved> {
    let mut tx = app.pool.begin().await?;
    if !update(&mut *tx, booking, to, app.settings.extensions_max, now).await? {
        return Ok(Moved::Not);
    }
    if let Some(under) = under
        && !idempotency::mark(&mut *tx, booking.user_id, &under.key, booking.booking_id).await?
    {
        return Ok(Moved::Before);
    }
    tx.commit().await?;
    Ok(Moved::Now)
}

async fn update(
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
