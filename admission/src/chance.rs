//! Whether there will be a ticket when a fan's turn comes, as a word.

use crate::line::Counts;

/// What a fan may expect. Words, not per cent: what is known does not bear more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Chance {
    /// Half as many tickets again as those before will take at the rate they take them now.
    Good,
    /// Enough for one more, if those before go on as they do.
    Fair,
    /// Only if those before take fewer than they do, or tickets come back.
    Slim,
    /// All are sold, or not one in twenty of those before can be served.
    None,
}

/// Tickets a fan takes, as long as nothing is known: most come in pairs.
const TAKEN_UNKNOWN: f64 = 2.0;
/// For how many fans that counts against what was measured: the first few buyers say little.
const UNKNOWN_WEIGHS: f64 = 20.0;
/// A measure beyond it is none: tickets were sold elsewhere, or grants counted anew after a loss.
const TAKEN_MAX: f64 = 10.0;

/// Tickets there are for each that is wanted by those before and this fan.
const GOOD: f64 = 1.5;
const FAIR: f64 = 1.0;
/// The same, if every hold came back.
const SLIM: f64 = 0.05;

/// The chance of one ticket for a fan with `ahead` others before; `None` while booking has not said what
/// there is.
///
/// What a fan takes is what was sold to those who were in and are done. Those inside will take as much, or what
/// they hold already if that is more; so will those who claim, those called who still come, and of those before in
/// the line the share that comes when called.
pub fn chance(counts: &Counts, ahead: u64) -> Option<Chance> {
    if counts.capacity == 0 {
        return None;
    }
    let unsold = counts.capacity.saturating_sub(counts.sold) as f64;
    let taken = taken_by_a_fan(counts);
    let inside = (taken * counts.active as f64).max(counts.held as f64);
    let free = (unsold - inside).max(0.0);
    let before = counts.claims as f64 + called_to_come(counts) + counts.coming() * ahead as f64;
    let wanted = taken * before + 1.0;
    Some(if unsold == 0.0 {
        Chance::None
    } else if free / wanted >= GOOD {
        Chance::Good
    } else if free / wanted >= FAIR {
        Chance::Fair
    } else if unsold / wanted >= SLIM {
        Chance::Slim
    } else {
        Chance::None
    })
}

/// Tickets a fan takes, leaving without any counted as none.
fn taken_by_a_fan(counts: &Counts) -> f64 {
    let done = counts.granted_total.saturating_sub(counts.active) as f64;
    let sold = counts.sold as f64;
    if sold > TAKEN_MAX * done {
        return TAKEN_UNKNOWN;
    }
    (sold + TAKEN_UNKNOWN * UNKNOWN_WEIGHS) / (done + UNKNOWN_WEIGHS)
}

/// Fans called who have not claimed yet and will: most of those called long ago will not.
fn called_to_come(counts: &Counts) -> f64 {
    let came = (counts.granted_total + counts.claims) as f64;
    let missing = (counts.coming() * counts.called_total as f64 - came).max(0.0);
    missing.min(counts.coming() * counts.called as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selling() -> Counts {
        Counts { capacity: 1_000, waiting: 5_000, ..Counts::default() }
    }

    #[test]
    fn nothing_is_said_before_booking_reports() {
        assert_eq!(chance(&Counts { granted_total: 50, ..Counts::default() }, 0), None);
    }

    #[test]
    fn before_anybody_is_in_two_tickets_a_fan_are_assumed() {
        let chances = [0, 300, 400, 499, 500, 9_000, 20_000].map(|ahead| chance(&selling(), ahead).unwrap());
        use Chance::{Fair, Good, None, Slim};
        assert_eq!(chances, [Good, Good, Fair, Fair, Slim, Slim, None]);
    }

    #[test]
    fn what_fans_took_so_far_decides() {
        let thrifty = Counts { granted_total: 1_000, sold: 200, ..selling() };
        assert_eq!(chance(&thrifty, 2_000), Some(Chance::Good), "one in five buys one");
        let hungry = Counts { granted_total: 100, sold: 400, ..selling() };
        assert_eq!(chance(&hungry, 200), Some(Chance::Slim), "600 left, 4 each");
        let elsewhere = Counts { granted_total: 1, sold: 400, ..selling() };
        assert_eq!(chance(&elsewhere, 190), Some(Chance::Good), "a measure that cannot be one is not used");
    }

    #[test]
    fn those_inside_and_called_come_first() {
        let crowded = Counts { active: 400, granted_total: 400, ..selling() };
        assert_eq!(chance(&crowded, 0), Some(Chance::Good), "200 will be left");
        assert_eq!(chance(&crowded, 150), Some(Chance::Slim));
        assert_eq!(chance(&Counts { held: 1_000, ..crowded }, 0), Some(Chance::Slim), "all held: only what comes back");
        let called = Counts { called: 600, called_total: 600, ..selling() };
        assert_eq!(chance(&called, 0), Some(Chance::Slim));
        let gone = Counts {
            called: 600,
            called_total: 1_000,
            granted_total: 400,
            sold: 10,
            shows: 160,
            no_shows: 240,
            ..selling()
        };
        assert_eq!(chance(&gone, 0), Some(Chance::Good), "the six hundred called will not come any more");
    }

    #[test]
    fn of_many_who_are_gone_fewer_take() {
        let gone = Counts { shows: 160, no_shows: 240, ..selling() };
        assert_eq!(chance(&selling(), 700), Some(Chance::Slim));
        assert_eq!(chance(&gone, 700), Some(Chance::Good));
    }

    #[test]
    fn the_last_ticket_and_none() {
        let last = Counts { sold: 999, granted_total: 500, ..selling() };
        assert_eq!(chance(&last, 0), Some(Chance::Fair), "one ticket, and nobody before");
        assert_eq!(chance(&last, 1), Some(Chance::Slim));
        assert_eq!(chance(&Counts { sold: 1_000, ..last }, 0), Some(Chance::None));
        assert_eq!(chance(&Counts { sold: 999, held: 1, ..last }, 0), Some(Chance::Slim), "it may come back");
    }

    #[test]
    fn whoever_stands_nearer_has_no_smaller_chance() {
        let counts =
            Counts { granted_total: 70, sold: 90, held: 20, active: 30, called: 9, called_total: 80, ..selling() };
        let words: Vec<_> = (0..20_000).step_by(37).map(|ahead| chance(&counts, ahead).unwrap() as u8).collect();
        assert!(words.is_sorted() && words[0] == 0 && words.last() == Some(&3));
    }
}
