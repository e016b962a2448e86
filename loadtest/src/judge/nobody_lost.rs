//! Every fan who stayed came to a known end, and a true one.

use super::inquiry::{Check, Inquiry};
use crate::{
    books::Books,
    protocol::State,
    record::{Ending, FanRecord, Record},
};

pub(super) fn check(record: &Record, books: &Books) -> Check {
    let mut inquiry =
        Inquiry::of("nobody lost", "every fan bought, was told truly that nothing is left, or went silent by itself");
    let unsold = books.capacity() - books.sold();
    let never_held = books.never_held();
    let mut told_sold_out = 0;
    for fan in &record.fans {
        let retries = &fan.retries;
        match &fan.ending {
            Ending::Bought | Ending::WentSilent => inquiry.examined(1),
            // the line says so once all is sold, and a sale is for good
            Ending::SoldOut if told_in_line(fan) => inquiry.expect(unsold == 0, || {
                format!("fan {} was told in line that all is sold, and {unsold} tickets are unsold", fan.number)
            }),
            // at checkout it may have been held by others at the time, and come back since
            Ending::SoldOut => {
                told_sold_out += 1;
                inquiry.expect(never_held == 0, || {
                    format!(
                        "fan {} was told at checkout that nothing is left, and {never_held} tickets on sale \
                         were never held by anybody",
                        fan.number
                    )
                });
            }
            Ending::DropEnded => inquiry.expect(books.drop.state == "ended", || {
                format!("fan {} was told that the drop has ended, and it is {}", fan.number, books.drop.state)
            }),
            Ending::Lost { why } => {
                inquiry.expect(false, || format!("fan {}: {why} (retries: {retries:?})", fan.number));
            }
            Ending::TimedOut { state } => inquiry.expect(false, || {
                format!(
                    "fan {} was still in line when the time was up, last told {state:?} \
                     (retries: {retries:?})",
                    fan.number
                )
            }),
            Ending::Absent => inquiry.expect(false, || format!("fan {} never came", fan.number)),
        }
    }
    if told_sold_out > 0 && unsold > 0 {
        inquiry.note(format!(
            "{told_sold_out} fans were told at checkout that nothing is left; {unsold} tickets are unsold, \
             all but {never_held} were held in between"
        ));
    }
    inquiry.done()
}

fn told_in_line(fan: &FanRecord) -> bool {
    fan.heard.last().is_some_and(|heard| heard.state == State::SoldOut)
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::{books::ClaimRow, judge::Outcome};

    #[test]
    fn lost_fans_are_found() {
        let (mut record, books) = evening::clean();
        record.fans[0].ending = Ending::Lost { why: "404".into() };
        record.fans[1].ending = Ending::TimedOut { state: None };
        record.fans[2].ending = Ending::Absent;
        let check = check(&record, &books);
        assert_eq!(check.broken, 3);
        assert!(check.evidence[0].contains("fan 0: 404"));
    }

    #[test]
    fn told_sold_out_at_checkout_while_a_ticket_lay_there_untouched_is_found() {
        let (mut record, mut books) = evening::clean();
        record.fans[0].ending = Ending::SoldOut;
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
        let ticket_id = evening::leave_one_unsold(&mut books);
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
        // somebody held it, and gave it back: the fan may have come in between
        let released = ClaimRow { ticket_id, state: "released".into(), ..books.claims[0].clone() };
        books.claims.push(released);
        let check = check(&record, &books);
        assert_eq!(check.outcome, Outcome::Kept);
        assert!(check.note.unwrap().contains("1 tickets are unsold"));
    }

    #[test]
    fn told_sold_out_in_line_before_all_was_sold_is_found() {
        let (mut record, mut books) = evening::clean();
        record.fans[0].ending = Ending::SoldOut;
        record.fans[0].heard.last_mut().unwrap().state = State::SoldOut;
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
        let ticket_id = evening::leave_one_unsold(&mut books);
        books.claims.push(ClaimRow { ticket_id, state: "released".into(), ..books.claims[0].clone() });
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
    }

    #[test]
    fn told_ended_while_the_drop_runs_is_found() {
        let (mut record, mut books) = evening::clean();
        record.fans[0].ending = Ending::DropEnded;
        assert_eq!(check(&record, &books).outcome, Outcome::Broken);
        books.drop.state = "ended".into();
        assert_eq!(check(&record, &books).outcome, Outcome::Kept);
    }
}
