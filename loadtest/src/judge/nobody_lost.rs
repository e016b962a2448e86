//! Every fan who stayed came to a known end.

use super::inquiry::{Check, Inquiry};
use crate::{
    books::Books,
    record::{Ending, Record},
};

pub(super) fn check(record: &Record, books: &Books) -> Check {
    let mut inquiry =
        Inquiry::of("nobody lost", "every fan bought, was told that nothing is left, or went silent by itself");
    let mut told_sold_out = 0;
    for fan in &record.fans {
        let retries = &fan.retries;
        match &fan.ending {
            Ending::Bought | Ending::DropEnded | Ending::WentSilent => inquiry.examined(1),
            Ending::SoldOut => {
                told_sold_out += 1;
                inquiry.examined(1);
            }
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
    let unsold = books.capacity() - books.sold();
    if told_sold_out > 0 && unsold > 0 {
        inquiry.note(format!("{told_sold_out} fans were told that nothing is left, and {unsold} tickets are unsold"));
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};

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
}
