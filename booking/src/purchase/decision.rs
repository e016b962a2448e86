//! What the provider's word means for a booking. Pure.

use uuid::Uuid;

use super::bookings::{Booking, Status};
use crate::payments::{Intent, IntentStatus};

/// What is to be done about one intent of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The money waits: sell, if the claims are still there.
    Sell,
    /// This intent won before: nothing to decide.
    Won,
    /// Money is reserved or taken that no ticket stands against: give it back.
    Void,
    /// The fan has something to do yet.
    Wait,
    /// The provider gave the intent up.
    Gone,
}

pub(crate) fn judge(booking: &Booking, intent: &Intent) -> Verdict {
    use IntentStatus as I;
    if booking.status == Status::Completed && booking.intent_id.as_deref() == Some(&intent.id) {
        return Verdict::Won;
    }
    match intent.status {
        I::Canceled => Verdict::Gone,
        I::RequiresCapture | I::Succeeded => {
            if booking.status == Status::Pending && pays_for(booking, intent) {
                Verdict::Sell
            } else {
                Verdict::Void
            }
        }
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
        && (intent.status != IntentStatus::Succeeded || intent.amount_received == booking.total_amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::NewIntent;

    fn intent(id: &str, status: IntentStatus) -> Intent {
        Intent {
            id: id.to_owned(),
            status,
            amount: 1_000,
            amount_received: 0,
            currency: "usd".to_owned(),
            client_secret: None,
            metadata: [(NewIntent::BOOKING.to_owned(), Uuid::nil().to_string())].into(),
            next_action: None,
            last_payment_error: None,
        }
    }

    #[test]
    fn money_that_fits_sells_while_the_booking_is_pending() {
        let authorised = intent("pi_1", IntentStatus::RequiresCapture);
        for (status, verdict) in
            [(Status::Pending, Verdict::Sell), (Status::Completed, Verdict::Void), (Status::Cancelled, Verdict::Void)]
        {
            assert_eq!(judge(&Booking::sample(status), &authorised), verdict);
        }
        let won = intent("pi_won", IntentStatus::RequiresCapture);
        assert_eq!(judge(&Booking::sample(Status::Completed), &won), Verdict::Won);
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
