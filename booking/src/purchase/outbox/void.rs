//! Giving money back that no ticket stands against.

use uuid::Uuid;

use crate::app::App;
use crate::payments::{IntentStatus, RefundStatus, StripeError};
use crate::purchase::undo::{self, Asked};
use crate::purchase::{attempts, bookings, settle};

/// Cancels the intent; refunds it when it was captured; content when both have been done before. A payment that came
/// late is settled instead: it may have its tickets back. An intent that the provider does not know is asked about until
/// it does: nobody else looks after one that is given up.
pub(super) async fn void(app: &App, intent_id: &str) -> anyhow::Result<()> {
    let late = late_money(app, intent_id).await?;
    if let Some(booking_id) = late {
        settle::settle(app, booking_id).await?;
        anyhow::ensure!(
            !attempts::is_voiding(&app.pool, intent_id, app.clock.now()).await?,
            "nobody knows whether it is being cancelled: the seats might be had again when it is not"
        );
    }
    let Some(begun) = undo::begin(app, intent_id, late.is_some()).await? else {
        return Ok(()); // it has its tickets
    };
    shared::crash::point("void.asked");
    match undo::ask(app, intent_id, begun).await? {
        Asked::Cancelled => {}
        // regained while the provider was asked
        Asked::Stands(IntentStatus::Succeeded) if !undo::begin_refund(app, intent_id).await? => return Ok(()),
        Asked::Stands(IntentStatus::Succeeded) => refund(app, intent_id).await?,
        Asked::Stands(other) => anyhow::bail!("the intent is {other:?} and cannot be cancelled"),
    }
    shared::crash::point("void.made");
    Ok(attempts::undone(&app.pool, intent_id, app.clock.now()).await?)
}

/// The booking, if somebody has paid for it when its seats were gone, or may have been.
async fn late_money(app: &App, intent_id: &str) -> anyhow::Result<Option<Uuid>> {
    let Some(booking_id) = attempts::booking_of_intent(&app.pool, intent_id).await? else { return Ok(None) };
    let booking = bookings::find(&app.pool, booking_id).await?;
    if !booking.is_some_and(|booking| booking.was_too_late()) {
        return Ok(None);
    }
    let intent = app.stripe.fetch(intent_id).await?;
    Ok(Some(booking_id).filter(|_| intent.has_money()))
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
