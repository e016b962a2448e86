//! The judge: pure functions over what the fans were told and what the two books say.
//!
//! One promise, one file. Every check is shown, by its tests, to find a record that breaks it: a
//! judge that cannot fail is worthless.

mod agreement;
mod capacity;
mod clocks;
mod epochs;
mod inquiry;
mod ledger;
mod money;
mod nobody_lost;
mod one_owner;
mod open;
mod order;
mod places;
mod positions;
mod rate;
mod settled;
mod told;

#[cfg(test)]
pub(crate) mod evening;

use serde::Serialize;

pub(crate) use inquiry::{Check, Outcome};
pub(crate) use rate::bound as tokens_a_second_most;

use crate::{books::Books, record::Record};

/// What the judge found.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub content: bool,
    pub checks: Vec<Check>,
}

/// Weighs purchases alone, made by whomever: no line, no positions, and everything settled by now.
pub(crate) fn judge_purchases(record: &Record, books: &Books) -> Verdict {
    let bought = record.fans.iter().any(|fan| fan.purchase.is_some());
    verdict(vec![
        one_owner::check(record, books).due(bought),
        capacity::check(books).due(true),
        agreement::check(books).due(true),
        told::check(record, books).due(bought),
        money::check(books).due(bought),
        ledger::check(books).due(bought),
        open::check(books),
        settled::check(books).due(bought),
    ])
}

/// Weighs an evening.
pub(crate) fn judge(record: &Record, books: &Books) -> Verdict {
    let admitted = record.fans.iter().any(|fan| fan.admitted_at_us().is_some());
    let bought = record.fans.iter().any(|fan| fan.purchase.is_some());
    let checks = vec![
        one_owner::check(record, books).due(bought),
        capacity::check(books).due(admitted),
        agreement::check(books).due(admitted),
        told::check(record, books).due(bought),
        money::check(books).due(bought),
        ledger::check(books),
        order::granted(record).due(admitted),
        order::called(record), // a pause or a loss of Redis moves deadlines: rightly skipped then
        rate::check(record, books).due(admitted),
        nobody_lost::check(record, books).due(true),
        places::check(record),
        positions::check(record),
        settled::check(books).due(bought),
    ];
    verdict(checks)
}

fn verdict(checks: Vec<Check>) -> Verdict {
    Verdict { content: checks.iter().all(|check| check.outcome != Outcome::Broken), checks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_evening_satisfies_every_check() {
        let (record, books) = evening::clean();
        let verdict = judge(&record, &books);
        for check in &verdict.checks {
            assert_eq!(check.outcome, Outcome::Kept, "{check:?}");
            assert!(check.examined > 0, "{} looked at nothing", check.name);
        }
        assert!(verdict.content);
    }

    #[test]
    fn a_check_that_sees_nothing_where_something_happened_is_broken() {
        let (record, _) = evening::clean();
        let verdict = judge(&record, &Books::default());
        let names = ["capacity", "agreement", "told and done", "money", "settled"];
        for check in verdict.checks.iter().filter(|check| names.contains(&check.name)) {
            assert_eq!(check.outcome, Outcome::Broken, "{check:?}");
        }
        // clocks that contradict each other leave the order of grants unknown
        let (mut record, books) = evening::clean();
        evening::grant(&mut record.fans[0], evening::START_US - 3_600_000_000);
        let verdict = judge(&record, &books);
        let order = verdict.checks.iter().find(|check| check.name == "granted in order").unwrap();
        assert_eq!((order.outcome, order.examined, verdict.content), (Outcome::Broken, 0, false), "{order:?}");
    }

    #[test]
    fn an_evening_at_which_nothing_is_sold_is_not_a_good_one() {
        let (mut record, mut books) = evening::clean();
        for fan in &mut record.fans {
            (fan.purchase, fan.ending) = (None, crate::record::Ending::SoldOut);
        }
        books.bookings.clear();
        books.intents.clear();
        books.claims.clear();
        for ticket in &mut books.tickets {
            (ticket.user_id, ticket.booking_id, ticket.status) = (None, None, "available".into());
        }
        assert!(!judge(&record, &books).content);
    }

    #[test]
    fn one_broken_promise_makes_the_judge_discontent() {
        let (record, mut books) = evening::clean();
        books.intents.clear();
        assert!(!judge(&record, &books).content);
    }
}
