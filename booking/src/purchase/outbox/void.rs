//! Giving money back that no ticket stands against.

use crate::app::App;
use crate::payments::{IntentStatus, RefundStatus, StripeError};

/// Cancels the intent; refunds it when it was captured; content when both have been done before.
pub(super) async fn void(app: &App, intent_id: &str, attempt: i32) -> anyhow::Result<()> {
    match app.stripe.cancel(intent_id, &format!("void-{intent_id}-{attempt}")).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_unexpected_state() => match app.stripe.fetch(intent_id).await?.status {
            IntentStatus::Canceled => Ok(()),
            IntentStatus::Succeeded => refund(app, intent_id, attempt).await,
            other => anyhow::bail!("the intent is {other:?} and cannot be cancelled"),
        },
        Err(error) => Err(error.into()),
    }
}

async fn refund(app: &App, intent_id: &str, attempt: i32) -> anyhow::Result<()> {
    match app.stripe.refund(intent_id, &format!("refund-{intent_id}-{attempt}")).await {
        Ok(refund) => match refund.status {
            RefundStatus::Succeeded | RefundStatus::Pending => Ok(()),
            other => anyhow::bail!("the refund is {other:?}"),
        },
        Err(error @ StripeError::Api { .. }) if error.is_already_refunded() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
