//! A place is a place: the same after every refresh, with the same key, admitted once.

use std::sync::Arc;

use super::{
    epochs,
    inquiry::{Check, Inquiry},
};
use crate::{
    protocol::State,
    record::{FanRecord, Record},
};

pub(super) fn check(record: &Record) -> Check {
    let mut inquiry = Inquiry::of("places", "a fan keeps its place, and the place keeps its order key within an epoch");
    let all = epochs::of_record(record);
    for fan in &record.fans {
        same_place(&mut inquiry, fan);
        let told: Vec<Option<u64>> = fan.heard.iter().map(|heard| heard.epoch).collect();
        same_key(&mut inquiry, fan, &epochs::resolve(&told, &all));
    }
    inquiry.done()
}

fn same_place(inquiry: &mut Inquiry, fan: &FanRecord) {
    let mut places: Vec<&Arc<str>> = fan.heard.iter().filter_map(|heard| heard.place.as_ref()).collect();
    places.dedup();
    inquiry.expect(places.len() <= 1, || format!("fan {} was given one place after another: {places:?}", fan.number));
}

fn same_key(inquiry: &mut Inquiry, fan: &FanRecord, epochs: &[Option<u64>]) {
    let mut last: Option<(u64, &Arc<str>, i64)> = None;
    for (heard, epoch) in fan.heard.iter().zip(epochs) {
        // before the draw there is no key, whatever a document shows
        let keyed = !matches!(heard.state, State::Lobby | State::Drawing);
        let (true, Some(key), Some(epoch), Some(place)) = (keyed, heard.order_key, *epoch, &heard.place) else {
            continue;
        };
        let before = last.filter(|(in_epoch, of_place, _)| *in_epoch == epoch && *of_place == place);
        inquiry.expect(before.is_none_or(|(.., old)| old == key), || {
            format!(
                "fan {}: place {place} had the key {} and then {key} (by {:?}), in epoch {epoch}",
                fan.number,
                before.map_or(0, |(.., old)| old),
                heard.via,
            )
        });
        last = Some((epoch, place, key));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    #[test]
    fn a_changed_key_or_place_is_found() {
        let (mut record, _) = evening::clean();
        record.fans[0].heard[1].order_key = Some(5);
        assert_eq!(check(&record).outcome, Outcome::Broken);
        let (mut record, _) = evening::clean();
        record.fans[0].heard[1].place = Some("elsewhere".into());
        assert_eq!(check(&record).outcome, Outcome::Broken);
    }

    #[test]
    fn a_new_epoch_may_bring_a_new_key() {
        let (mut record, _) = evening::clean();
        for heard in &mut record.fans[0].heard[1..] {
            heard.epoch = Some(2);
            heard.order_key = Some(5);
        }
        assert_eq!(check(&record).outcome, Outcome::Kept);
    }
}
