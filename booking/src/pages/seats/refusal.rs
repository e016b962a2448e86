//! Why the seats are not the fan's, and what to do now.

use admission::token::TokenError;

use crate::error::Error;

/// What stands above the seats.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Notice {
    /// Class of the notice: info, warn, bad.
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) text: String,
    pub(super) step: Step,
}

/// The one way on.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(super) enum Step {
    /// On this page.
    #[default]
    Here,
    /// To the fan's place in line, which knows better than this page whether the turn still runs.
    Turn,
    /// To what was bought with the turn, or into the line again.
    Used,
    /// What the account has.
    Account,
    Event,
}

/// Words for a refusal a fan can do something about; `None` for what is no fan's business.
pub(super) fn words(error: &Error) -> Option<Notice> {
    let notice = |kind, title, text: &str, step| Some(Notice { kind, title, text: text.to_owned(), step });
    match error {
        Error::SeatsTaken { seats } => {
            let taken = match seats.as_slice() {
                [one] => format!("Seat {one} has just been taken by somebody else."),
                many => format!("Seats {} have just been taken by somebody else.", many.join(", ")),
            };
            notice("warn", "Somebody was faster", &format!("{taken} Nothing is held yet."), Step::Here)
        }
        Error::SoldOut => notice(
            "warn",
            "Not that many are left",
            "There are not that many seats left of what you asked for. Try fewer, or another price.",
            Step::Here,
        ),
        Error::Quantity { max } => {
            notice("warn", "Choose your seats", &format!("You can take 1 to {max} tickets at once."), Step::Here)
        }
        Error::SeatsProtected { seats } => {
            let kept = match seats.as_slice() {
                [one] => format!("Seat {one} is"),
                many => format!("Seats {} are", many.join(", ")),
            };
            let text = format!(
                "{kept} kept for somebody in a wheelchair and whoever comes along. If that is you, tick “For somebody in \
                 a wheelchair”, and take companion seats together with a wheelchair space. Nothing is held yet."
            );
            notice("warn", "Seats kept for wheelchairs", &text, Step::Here)
        }
        Error::Unpayable { .. } => notice("warn", "Too much for one payment", "Take fewer seats at once.", Step::Here),
        Error::TicketOfAnotherEvent { .. } | Error::WrongType(_) | Error::IdempotencyMismatch => {
            notice("warn", "Please choose once more", "We could not make out which seats you meant.", Step::Here)
        }
        Error::InFlight | Error::Crowded => notice(
            "warn",
            "Very many are choosing right now",
            "Your seats are still chosen. Press the button once more.",
            Step::Here,
        ),
        Error::Limit => notice(
            "warn",
            "You have all the tickets you can have",
            "Each fan can have only so many tickets in this sale, and you have reached that number.",
            Step::Account,
        ),
        Error::NotOnSale => {
            notice("info", "Not on sale", "There are no tickets to be had for this event now.", Step::Event)
        }
        Error::PlaceEnded => notice(
            "info",
            "You have used this turn",
            "What you bought with it stands under your bookings. For more tickets, join the line again.",
            Step::Used,
        ),
        Error::PlaceBound(_) => notice(
            "warn",
            "One place in line, one account",
            "Your place belongs to another account, or your account has another place in this sale. \
             Sign in with the account you began with.",
            Step::Account,
        ),
        Error::Admission(TokenError::Expired) => notice(
            "warn",
            "Your time to choose seems to be over",
            "If the sale was paused meanwhile, your turn goes on for as long.",
            Step::Turn,
        ),
        Error::AdmissionMissing | Error::Admission(_) | Error::VisitorMismatch | Error::AdmissionWrongDrop => notice(
            "info",
            "It is not your turn",
            "You can look at all seats. To take some, your turn in line has to have come.",
            Step::Turn,
        ),
        _ => None,
    }
}

/// For who pressed the button, and had to sign in before it could be done.
pub(super) fn press_once_more() -> Notice {
    Notice {
        kind: "info",
        title: "You are signed in",
        text: "Nothing is held yet. What you chose is still chosen: press Hold once more.".to_owned(),
        step: Step::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_named() {
        let one = words(&Error::SeatsTaken { seats: vec!["A-1".to_owned()] }).unwrap();
        assert!(one.text.starts_with("Seat A-1 has"), "{one:?}");
        let two = words(&Error::SeatsTaken { seats: vec!["A-1".to_owned(), "A-2".to_owned()] }).unwrap();
        assert!(two.text.starts_with("Seats A-1, A-2 have"), "{two:?}");
        assert_eq!(words(&Error::Internal(anyhow::anyhow!("row 7"))), None);
        assert_eq!(words(&Error::Admission(TokenError::Expired)).unwrap().step, Step::Turn);
    }
}
