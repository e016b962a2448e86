//! Giving money back that no ticket stands against.

use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::payments::{IntentStatus, RefundStatus, StripeError};
use crate::purchase::decision::{Verdict, judge};
use crate::purchase::{attempts, bookings, settle, undo};

/// Cancels the intent; refunds it when it was captured; content when both have been done before. A payment that came
/// late is settled instead: it may have its tickets back.
pub(super) async fn void(app: &App, intent_id: &str) -> anyhow::Result<()> {
    if is_late_payment(app, intent_id).await? {
        settle::settle(app, attempts::booking_of_intent(&app.pool, intent_id).await?.ok_or(Error::BookingUnknown)?)
            .await?;
    }
    if !undo::begin(app, intent_id).await? {
        return Ok(()); // it has its tickets
    }
    shared::crash::point("void.asked");
    match undo::ask(app, intent_id).await {
        Ok(()) => {}
        Err(error) if error.is_unexpected_state() => match app.stripe.fetch(intent_id).await?.status {
            IntentStatus::Canceled => {}
            // regained while the provider was asked
            IntentStatus::Succeeded if !undo::begin_refund(app, intent_id).await? => return Ok(()),
            IntentStatus::Succeeded => refund(app, intent_id).await?,
            other => anyhow::bail!("the intent is {other:?} and cannot be cancelled"),
        },
        Err(error) => return Err(error.into()),
    }
    shared::crash::point("void.made");
    Ok(attempts::undone(&app.pool, intent_id, app.clock.now()).await?)
}

/// Whether somebody has paid for a booking that had expired.
async fn is_late_payment(app: &App, intent_id: &str) -> anyhow::Result<bool> {
    let Some(booking_id) = attempts::booking_of_intent(&app.pool, intent_id).await? else { return Ok(false) };
    match bookings::find(&app.pool, booking_id).await? {
        Some(booking) if booking.has_expired() => {
            Ok(judge(&booking, &app.stripe.fetch(intent_id).await?) == Verdict::Regain)
        }
        _ => Ok(false),
    }
}

async fn refund(app: &App, intent_id: &str) -> anyhow::Result<()> {
    // the provider replays a failure under its key, so each try has its own; it refunds no cent twice
    match app.stripe.refund(intent_id, &format!("refund-{}", Uuid::new_v4())).await {
        Ok(refund) => match refund.status {
            RefundStatus::Succeeded | RefundStatus::Pending => {}
            other => anyhow::bail!("the refund is {other:?}"),
        },
        Err(error @ StripeError::Api { .. }) if error.is_already_refunded() => {}
        Err(error) => return Err(error.into()),
    }
    shared::crash::point("refund.made");
    Ok(())
}
