//! Where a booking stands, in the words of its fan.

use super::{Booking, Status, payment::Way};
use crate::{app::App, error::Error, purchase::release::Reason};

/// Where the booking stands, as its fan sees it.
pub(super) enum Stands {
    /// Held, to be paid.
    Payable(Way),
    /// Held, but the fan has to see the bank first, which is on another site.
    AtBank(String),
    /// The bank, the provider or we have not decided.
    Settling(Settling),
    Done,
    Over(Over),
}

pub(super) struct Settling {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    /// The seats wait for a bank, and not for ever: the page says until when.
    pub(super) waits: bool,
}

pub(super) struct Over {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) next: Next,
}

/// The one way on from where it is over.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Next {
    Seats,
    Account,
    /// Says that the bank agreed all the same.
    AskOnce,
}

impl Stands {
    pub(super) async fn of(app: &App, booking: &Booking) -> Result<Self, Error> {
        Ok(match booking.status {
            Status::Completed if booking.captured_at().is_some() => Self::Done,
            Status::Completed => Self::Settling(Settling {
                title: "The seats are yours",
                text: "We are taking the payment now. Your tickets appear here in a moment.",
                waits: false,
            }),
            Status::Cancelled => Self::Over(Over::of(&booking.why())),
            Status::Pending if booking.is_payable(app.clock.now()) => {
                Self::Payable(Way::of(app, booking.booking_id).await?)
            }
            Status::Pending if booking.is_given_up() => Self::Settling(Settling {
                title: "You gave these seats back",
                text: "We are cancelling the payment at your bank. Nothing is charged.",
                waits: false,
            }),
            Status::Pending => Self::Settling(Settling {
                title: "Your time to pay is over",
                text: "We are asking the bank whether a payment is still under way.",
                waits: true,
            }),
        })
    }

    /// The fan comes back from the bank, which may need a moment itself.
    pub(super) fn back_from_bank(self, booking: &Booking) -> Self {
        match self {
            Self::Over(over) if booking.has_expired() => Self::Over(Over { next: Next::AskOnce, ..over }),
            _ if booking.status == Status::Pending && !booking.is_given_up() => Self::Settling(Settling {
                title: "Confirming with your bank",
                text: "This takes a few seconds.",
                waits: true,
            }),
            other => other,
        }
    }
}

impl Over {
    fn of(reason: &str) -> Self {
        let known = |own: Reason| reason == own.as_str();
        let (title, text, next) = if known(Reason::GivenUp) {
            ("You gave these seats back", "Nothing was charged. They can be had by others now.", Next::Seats)
        } else if known(Reason::PaymentLost) {
            (
                "A seat of this booking was withdrawn",
                "That was before your payment arrived, so there are no tickets, and you pay nothing: what your bank shows \
                 as reserved goes away by itself within days, and what it took is given back.",
                Next::Seats,
            )
        } else if known(Reason::CaptureRefused) {
            (
                "Your bank refused the payment",
                "It had agreed first and refused when we took the money. Nothing was charged, and the seats were given \
                 back.",
                Next::Seats,
            )
        } else if known(Reason::Refunded) {
            (
                "This booking was refunded",
                "The tickets are no longer valid. Your money is on its way back to the card you paid with; banks show it \
                 after five to ten working days.",
                Next::Account,
            )
        } else {
            (
                "The time to pay ran out",
                "The seats were given back, and nothing was charged so far. If your bank confirms the payment after all, \
                 you get the same seats if they are still free, and otherwise your money back.",
                Next::Seats,
            )
        };
        Self { title, text, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_words_of_its_own() {
        let reasons = [Reason::Expired, Reason::GivenUp, Reason::PaymentLost, Reason::CaptureRefused, Reason::Refunded];
        let titles: std::collections::HashSet<&str> =
            reasons.iter().map(|reason| Over::of(reason.as_str()).title).collect();
        assert_eq!(titles.len(), reasons.len());
        assert_eq!(Over::of("refunded").next, Next::Account);
    }
}
