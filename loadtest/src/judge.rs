//! The judge: pure functions over what the fans were told and what the two books say.
//!
//! One promise, one file. Every check is shown, by its tests, to find a record that breaks it: a
//! judge that cannot fail is worthless.

mod agreement;
mod capacity;
mod clocks;
mod epochs;
mod inquiry;
mod money;
mod nobody_lost;
mod one_owner;
mod order;
mod places;
mod positions;
mod rate;
mod settled;
mod told;

#[cfg(test)]
mod evening;

use serde::Serialize;

pub(crate) use inquiry::{Check, Outcome};

use crate::{books::Books, record::Record};

/// What the judge found.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub content: bool,
    pub checks: Vec<Check>,
}

/// Weighs an evening.
pub(crate) fn judge(record: &Record, books: &Books) -> Verdict {
    let checks = vec![
        one_owner::check(record, books),
        capacity::check(books),
        agreement::check(books),
        told::check(record, books),
        money::check(books),
        order::granted(record),
        order::called(record),
        rate::check(record, books),
        nobody_lost::check(record, books),
        places::check(record),
        positions::check(record),
        settled::check(books),
    ];
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
    fn one_broken_promise_makes_the_judge_discontent() {
        let (record, mut books) = evening::clean();
        books.intents.clear();
        assert!(!judge(&record, &books).content);
    }
}
