//! What is charged on top of the tickets, line by line. Pure, but for the rows.

use serde::Serialize;
use sqlx::{FromRow, PgExecutor};
use utoipa::ToSchema;
use uuid::Uuid;

/// A fee as the organiser set it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FeeRule {
    pub label: String,
    #[sqlx(try_from = "String")]
    pub per: Per,
    /// Minor units.
    pub amount: i64,
}

/// What a fee is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Ticket,
    Order,
}

/// A fee as a booking pays it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, Serialize, ToSchema)]
pub(crate) struct Fee {
    pub(crate) label: String,
    /// Minor units, for the whole booking.
    pub(crate) amount: i64,
}

/// The fees of a booking of `quantity` tickets that cost `sum` minor units together, in the rules' order. Tickets that
/// cost nothing cost no fee either.
pub(crate) fn itemise(rules: &[FeeRule], quantity: u32, sum: i64) -> Vec<Fee> {
    if sum == 0 {
        return Vec::new();
    }
    let fee = |rule: &FeeRule| {
        let times = match rule.per {
            Per::Ticket => i64::from(quantity),
            Per::Order => 1,
        };
        // too much is still too much: no payment is that large
        Fee { label: rule.label.clone(), amount: rule.amount.saturating_mul(times) }
    };
    rules.iter().map(fee).collect()
}

impl Per {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Per::Ticket => "ticket",
            Per::Order => "order",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the event_fees table says {0:?}")]
pub struct UnknownPer(String);

impl TryFrom<String> for Per {
    type Error = UnknownPer;

    fn try_from(text: String) -> Result<Self, UnknownPer> {
        match text.as_str() {
            "ticket" => Ok(Per::Ticket),
            "order" => Ok(Per::Order),
            _ => Err(UnknownPer(text)),
        }
    }
}

pub(crate) async fn rules_of(db: impl PgExecutor<'_>, event_id: Uuid) -> sqlx::Result<Vec<FeeRule>> {
    sqlx::query_as("SELECT label, per, amount FROM event_fees WHERE event_id = $1 ORDER BY position")
        .bind(event_id)
        .fetch_all(db)
        .await
}

pub(crate) async fn of_booking(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Vec<Fee>> {
    sqlx::query_as("SELECT label, amount FROM booking_fees WHERE booking_id = $1 ORDER BY position")
        .bind(booking_id)
        .fetch_all(db)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_charged_for_each_ticket_or_once() {
        let rule = |label: &str, per, amount| FeeRule { label: label.to_owned(), per, amount };
        let rules = [rule("Service fee", Per::Ticket, 250), rule("Order fee", Per::Order, 300)];
        let fee = |label: &str, amount| Fee { label: label.to_owned(), amount };
        assert_eq!(itemise(&rules, 3, 3_000), [fee("Service fee", 750), fee("Order fee", 300)]);
        assert_eq!(itemise(&rules, 3, 0), []);
        assert_eq!(itemise(&[], 3, 3_000), []);
        assert_eq!(itemise(&[rule("Absurd", Per::Ticket, i64::MAX)], 2, 1), [fee("Absurd", i64::MAX)]);
    }
}
