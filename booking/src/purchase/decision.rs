//! What the provider's word means for a booking. Pure.

use uuid::Uuid;

use super::bookings::{Booking, Status};
use crate::payments::{Intent, IntentStatus};

/// What is to be done about one intent of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The money waits: sell, if the claims are still there.
    Sell,
    /// The money came when the booking had expired: sell, if the very same tickets are still free.
    Regain,
    /// This intent won before: nothing to decide.
    Won,
    /// Money is reserved or taken that no ticket stands against: give it back.
    Void,
    /// The fan has something to do yet.
    Wait,
    /// The provider gave the intent up, or the money back: nothing is left of it.
    Gone,
}

pub(crate) fn judge(booking: &Booking, intent: &Intent) -> Verdict {
    use IntentStatus as I;
    if booking.is_won_by(&intent.id) {
        return Verdict::Won;
    }
    match intent.status {
        I::Canceled => Verdict::Gone,
        I::Succeeded if intent.is_refunded() => Verdict::Gone,
        I::RequiresCapture | I::Succeeded if !pays_for(booking, intent) => Verdict::Void,
        I::RequiresCapture | I::Succeeded => match booking.status {
            // the fan did not want the seats any more
            Status::Pending if booking.is_given_up() => Verdict::Void,
            Status::Pending => Verdict::Sell,
            _ if booking.has_expired() => Verdict::Regain,
            _ => Verdict::Void,
        },
        _ if booking.status == Status::Pending => Verdict::Wait,
        // it could still be authorised, for a booking that is over
        _ => Verdict::Void,
    }
}

/// This booking, this amount, this currency.
fn pays_for(booking: &Booking, intent: &Intent) -> bool {
    let about: Option<Uuid> = intent.booking_id();
    about == Some(booking.booking_id)
        && intent.amount == booking.total_amount
        && intent.currency.eq_ignore_ascii_case(&booking.currency)
        // captured by somebody else, maybe in part
        && (intent.status != IntentStatus::Succeeded
            || (intent.amount_received == booking.total_amount && intent.refunded() == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::{Charge, NewIntent};

    fn intent(id: &str, status: IntentStatus) -> Intent {
        let metadata = [(NewIntent::BOOKING.to_owned(), Uuid::nil().to_string())].into();
        Intent { metadata, ..Intent::sample(id, status) }
    }

    #[test]
    fn money_that_fits_sells_while_the_booking_is_pending() {
        let authorised = intent("pi_1", IntentStatus::RequiresCapture);
        let because = |status, reason: &str| {
            let mut booking = Booking::sample(status);
            booking.reason = Some(reason.to_owned());
            booking
        };
        for (booking, verdict) in [
            (Booking::sample(Status::Pending), Verdict::Sell),
            (because(Status::Pending, "given-up"), Verdict::Void),
            (Booking::sample(Status::Completed), Verdict::Void),
            (because(Status::Cancelled, "expired"), Verdict::Regain),
            (because(Status::Cancelled, "given-up"), Verdict::Void),
            (because(Status::Cancelled, "payment-lost"), Verdict::Void),
            (because(Status::Cancelled, "refunded"), Verdict::Void),
        ] {
            assert_eq!(judge(&booking, &authorised), verdict, "{booking:?}");
        }
        let won = intent("pi_won", IntentStatus::RequiresCapture);
        assert_eq!(judge(&Booking::sample(Status::Completed), &won), Verdict::Won);
    }

    #[test]
    fn money_given_back_sells_nothing() {
        let charge = |amount_refunded| Some(Charge::Whole { amount_refunded });
        for (amount_refunded, verdict) in [(0, Verdict::Sell), (1, Verdict::Void), (1_000, Verdict::Gone)] {
            let latest_charge = charge(amount_refunded);
            let captured = Intent { amount_received: 1_000, latest_charge, ..intent("pi_1", IntentStatus::Succeeded) };
            assert_eq!(judge(&Booking::sample(Status::Pending), &captured), verdict, "{amount_refunded}");
        }
    }

    #[test]
    fn money_that_does_not_fit_goes_back() {
        let pending = Booking::sample(Status::Pending);
        let authorised = || intent("pi_1", IntentStatus::RequiresCapture);
        let other = [(NewIntent::BOOKING.to_owned(), Uuid::max().to_string())].into();
        for wrong in [
            Intent { amount: 999, ..authorised() },
            Intent { currency: "eur".to_owned(), ..authorised() },
            Intent { metadata: other, ..authorised() },
            Intent { metadata: Default::default(), ..authorised() },
        ] {
            assert_eq!(judge(&pending, &wrong), Verdict::Void);
        }
    }

    #[test]
    fn money_taken_by_others_must_be_all_of_it() {
        let pending = Booking::sample(Status::Pending);
        for (amount_received, verdict) in [(1_000, Verdict::Sell), (999, Verdict::Void), (0, Verdict::Void)] {
            let captured = Intent { amount_received, ..intent("pi_1", IntentStatus::Succeeded) };
            assert_eq!(judge(&pending, &captured), verdict, "{amount_received}");
        }
    }

    #[test]
    fn without_money_a_pending_booking_waits() {
        use IntentStatus as I;
        for status in [I::RequiresPaymentMethod, I::RequiresConfirmation, I::RequiresAction, I::Processing, I::Unknown]
        {
            assert_eq!(judge(&Booking::sample(Status::Pending), &intent("pi_1", status)), Verdict::Wait);
            assert_eq!(judge(&Booking::sample(Status::Cancelled), &intent("pi_1", status)), Verdict::Void);
        }
        for status in [Status::Pending, Status::Completed, Status::Cancelled] {
            assert_eq!(judge(&Booking::sample(status), &intent("pi_1", I::Canceled)), Verdict::Gone);
        }
    }
}
