//! First come, first served.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    clocks::Skew,
    epochs,
    inquiry::{Check, Inquiry},
};
use crate::{
    protocol::State,
    record::{FanRecord, Record},
};

/// A granted claim; times on Redis's clock.
struct Grant {
    fan: u32,
    key: i64,
    /// Known to be waiting for the bucket since.
    waiting_since: Option<i64>,
    granted_at: i64,
}

/// No fan is granted while one with a smaller order key is known to be waiting for the bucket.
pub(super) fn granted(record: &Record) -> Check {
    let mut inquiry =
        Inquiry::of("granted in order", "no claim is granted while one with a smaller order key waits for the bucket");
    let Some(skew) = Skew::measured(record) else {
        return inquiry.skipped("no grant to measure the clocks by, or a clock was set");
    };
    let mut grants: Vec<Grant> = record.fans.iter().filter_map(|fan| grant(fan, skew)).collect();
    grants.sort_by_key(|grant| grant.granted_at);
    let mut arriving: Vec<&Grant> = grants.iter().filter(|grant| grant.waiting_since.is_some()).collect();
    inquiry.note(format!("{} waited for the bucket", arriving.len()));
    arriving.sort_by_key(|grant| grant.waiting_since);
    let mut arriving = arriving.into_iter().peekable();
    // those known to wait, by key; those granted meanwhile are thrown out when they come up
    let mut waiting: BinaryHeap<Reverse<(i64, i64, u32)>> = BinaryHeap::new();
    for grant in &grants {
        while let Some(earlier) = arriving.next_if(|waiter| waiter.waiting_since < Some(grant.granted_at)) {
            waiting.push(Reverse((earlier.key, earlier.granted_at, earlier.fan)));
        }
        while waiting.peek().is_some_and(|Reverse(top)| top.1 <= grant.granted_at) {
            waiting.pop();
        }
        let first = waiting.peek().map(|Reverse(top)| *top);
        inquiry.expect(first.is_none_or(|(key, ..)| key >= grant.key), || {
            let (key, later, fan) = first.unwrap_or_default();
            format!(
                "fan {} (key {}) was granted at {}, while fan {fan} (key {key}) waited until {later}",
                grant.fan, grant.key, grant.granted_at
            )
        });
    }
    inquiry.done()
}

fn grant(fan: &FanRecord, skew: Skew) -> Option<Grant> {
    let told = fan.heard.iter().position(|heard| heard.admitted_at_us.is_some())?;
    let key = fan.heard[..=told].iter().rev().find_map(|heard| heard.order_key)?;
    // a claim that waits is lost with Redis's memory, and made again in the next epoch
    let steady = epochs::of_fan(fan).len() <= 1;
    Some(Grant {
        fan: fan.number,
        key,
        waiting_since: fan.claim_accepted_us.filter(|_| steady).map(|accepted| skew.on_redis(accepted)),
        granted_at: fan.heard[told].admitted_at_us?,
    })
}

/// Whoever stands before another is called no later.
pub(super) fn called(record: &Record) -> Check {
    let mut inquiry = Inquiry::of("called in order", "nobody is called before one with a smaller order key");
    let paused = |state| matches!(state, State::Paused | State::Restoring);
    let disturbed = record.pulses.iter().any(|pulse| pulse.state == "paused")
        || record.fans.iter().flat_map(|fan| &fan.heard).any(|heard| paused(heard.state));
    if disturbed || epochs::of_record(record).len() > 1 {
        return inquiry.skipped("the line was paused or restored: deadlines moved");
    }
    let mut calls: Vec<(i64, i64, u32)> = record.fans.iter().filter_map(first_call).collect();
    calls.sort_unstable();
    let mut latest: Option<(i64, i64, u32)> = None;
    for call in calls {
        let (key, deadline, fan) = call;
        let before = latest.filter(|latest| latest.1 > deadline);
        inquiry.expect(before.is_none(), || {
            let (key_before, deadline_before, fan_before) = before.unwrap_or_default();
            format!(
                "fan {fan} (key {key}) had until {deadline} to claim, fan {fan_before} \
                 (key {key_before}) until {deadline_before}"
            )
        });
        if latest.is_none_or(|latest| latest.1 <= deadline) {
            latest = Some(call);
        }
    }
    inquiry.done()
}

/// (order key, claim deadline, fan) of the first call the fan heard, unless it had lapsed already.
fn first_call(fan: &FanRecord) -> Option<(i64, i64, u32)> {
    fan.heard
        .iter()
        .take_while(|heard| heard.state != State::Lapsed)
        .filter(|heard| heard.state == State::Called)
        .find_map(|heard| Some((heard.order_key?, heard.claim_deadline_us?, fan.number)))
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::judge::Outcome;

    #[test]
    fn an_overtaken_claim_is_found() {
        let (mut record, _) = evening::clean();
        assert_eq!(granted(&record).outcome, Outcome::Kept);
        // fan 1 waits from before fan 2's grant until after it
        let later = record.fans[2].admitted_at_us().unwrap() + 100;
        evening::grant(&mut record.fans[1], later);
        let check = granted(&record);
        assert_eq!((check.outcome, check.broken), (Outcome::Broken, 1), "{check:?}");
    }

    #[test]
    fn overtaking_a_fan_not_known_to_wait_proves_nothing() {
        let (mut record, _) = evening::clean();
        let later = record.fans[2].admitted_at_us().unwrap() + 100;
        evening::grant(&mut record.fans[1], later);
        record.fans[1].claim_accepted_us = None;
        assert_eq!(granted(&record).outcome, Outcome::Kept);
    }

    #[test]
    fn a_call_out_of_turn_is_found() {
        let (mut record, _) = evening::clean();
        for heard in &mut record.fans[3].heard {
            heard.claim_deadline_us = heard.claim_deadline_us.map(|deadline| deadline - 10_000_000);
        }
        assert_eq!(called(&record).outcome, Outcome::Broken);
        record.fans[0].heard[0].state = State::Paused;
        assert_eq!(called(&record).outcome, Outcome::Skipped);
    }

    #[test]
    fn a_fan_granted_out_of_order_is_found_however_many_wait() {
        let (mut record, _) = evening::clean();
        let last = record.fans.iter().filter_map(FanRecord::admitted_at_us).max().unwrap();
        evening::grant(&mut record.fans[0], last + 1);
        record.fans[0].claim_accepted_us = Some(record.fans[0].claim_sent_us.unwrap() + 1);
        assert!(granted(&record).broken > 1);
    }
}
