//! A position is never shown to rise.

use super::{
    epochs,
    inquiry::{Check, Inquiry},
};
use crate::record::Record;

pub(super) fn check(record: &Record) -> Check {
    let mut inquiry = Inquiry::of("positions", "no position shown ever rose, while place and epoch stayed the same");
    let all = epochs::of_record(record);
    for fan in &record.fans {
        let told: Vec<Option<u64>> = fan.shown.iter().map(|shown| shown.epoch).collect();
        let known = epochs::resolve(&told, &all);
        for (pair, epochs) in fan.shown.windows(2).zip(known.windows(2)) {
            let [before, now] = pair else { continue };
            let same = before.place == now.place && epochs[0].is_some() && epochs[0] == epochs[1];
            if !same || !now.capped {
                continue; // the server did not know what it had shown before
            }
            inquiry.expect(now.position <= before.position, || {
                format!(
                    "fan {} was shown {} at {} and {} at {}",
                    fan.number, before.position, before.at_us, now.position, now.at_us
                )
            });
        }
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    fn risen(change: impl FnOnce(&mut Record)) -> Outcome {
        let (mut record, _) = evening::clean();
        let shown = &mut record.fans[0].shown;
        shown[2].position = shown[1].position + 1;
        change(&mut record);
        check(&record).outcome
    }

    #[test]
    fn a_risen_position_is_found() {
        assert_eq!(risen(|_| {}), Outcome::Broken);
    }

    #[test]
    fn a_new_place_epoch_or_page_may_show_more() {
        assert_eq!(risen(|record| record.fans[0].shown[2].capped = false), Outcome::Kept);
        assert_eq!(risen(|record| record.fans[0].shown[2].place = "another".into()), Outcome::Kept);
        assert_eq!(
            risen(|record| {
                for shown in &mut record.fans[0].shown[2..] {
                    shown.epoch = Some(2);
                }
            }),
            Outcome::Kept
        );
    }
}
