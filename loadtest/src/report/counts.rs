//! How many came, and what became of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    books::Books,
    record::{Ending, Record},
};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub joined: usize,
    pub admitted: usize,
    pub bought: usize,
    pub sold_out: usize,
    pub drop_ended: usize,
    pub went_silent: usize,
    pub lost: usize,
    pub timed_out: usize,
    pub absent: usize,
    /// By the database.
    pub capacity: usize,
    pub tickets_sold: usize,
    pub bookings_completed: usize,
    pub intents: usize,
    /// Minor units captured, by currency, by the provider's list.
    pub captured: BTreeMap<String, i64>,
    /// What had to be tried again, and why.
    pub retries: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(super) fn of(record: &Record, books: &Books) -> Self {
        let mut counts = Self {
            capacity: books.capacity(),
            tickets_sold: books.sold(),
            bookings_completed: books.completed().count(),
            ..Self::default()
        };
        for intent in books.intents_of_drop() {
            counts.intents += 1;
            *counts.captured.entry(intent.currency.to_uppercase()).or_default() +=
                intent.amount_received - intent.amount_refunded;
        }
        for fan in &record.fans {
            counts.joined += usize::from(fan.joined_us.is_some());
            counts.admitted += usize::from(fan.admitted_at_us().is_some());
            *match fan.ending {
                Ending::Bought => &mut counts.bought,
                Ending::SoldOut => &mut counts.sold_out,
                Ending::DropEnded => &mut counts.drop_ended,
                Ending::WentSilent => &mut counts.went_silent,
                Ending::Lost { .. } => &mut counts.lost,
                Ending::TimedOut { .. } => &mut counts.timed_out,
                Ending::Absent => &mut counts.absent,
            } += 1;
            for (reason, times) in &fan.retries {
                *counts.retries.entry(reason).or_default() += u64::from(*times);
            }
        }
        counts
    }
}
