//! What an intent on the provider's list means, next to what our books say of it. Pure.

use uuid::Uuid;

use super::known::Known;
use crate::payments::{Intent, IntentStatus, NewIntent};
use crate::purchase::bookings::Status;

/// What has to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// We asked for it and never heard of it: it belongs to this attempt.
    Unheard { attempt_id: Uuid, booking_id: Uuid },
    /// We made it, and nothing of ours says why any more.
    Orphan,
    /// It has money, or could get some, and the booking does not fit that: to be decided.
    Unsettled { booking_id: Uuid },
    /// The booking has another one, and this one can be paid still.
    Superseded,
    /// Its booking is sold, and the money not taken, or nobody wrote down that it was.
    Uncaptured { booking_id: Uuid },
    /// Somebody refunded all of it at the provider, and the tickets are still out.
    GivenBack { booking_id: Uuid },
}

impl Difference {
    /// Its name in metrics.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Difference::Unheard { .. } => "unheard",
            Difference::Orphan => "orphan",
            Difference::Unsettled { .. } => "unsettled",
            Difference::Superseded => "superseded",
            Difference::Uncaptured { .. } => "uncaptured",
            Difference::GivenBack { .. } => "given-back",
        }
    }
}

/// `ours`: our public address, by which an intent that nothing here knows is told from a stranger's.
pub(super) fn between(intent: &Intent, known: Option<&Known>, ours: &str) -> Option<Difference> {
    use IntentStatus as I;
    let over = intent.status == I::Canceled || (intent.status == I::Succeeded && intent.is_refunded());
    let Some(known) = known else {
        let is_ours = intent.metadata.get(NewIntent::ORIGIN).is_some_and(|origin| origin == ours);
        return (is_ours && !over).then_some(Difference::Orphan);
    };
    let (booking, booking_id) = (&known.booking, known.booking.booking_id);
    match known.intent_id.as_deref() {
        None if over => return None,
        None => return Some(Difference::Unheard { attempt_id: known.attempt_id, booking_id }),
        // a twin of the attempt's own intent, made when the provider had forgotten its key
        Some(other) if other != intent.id => return (!over).then_some(Difference::Orphan),
        Some(_) => {}
    }
    if booking.is_won_by(&intent.id) {
        return if booking.is_unpaid() {
            Some(Difference::Uncaptured { booking_id })
        } else if over {
            Some(Difference::GivenBack { booking_id })
        } else {
            None
        };
    }
    let is_decided = match intent.status {
        _ if over => true,
        I::RequiresCapture | I::Succeeded => false,
        _ => booking.status == Status::Pending,
    };
    if !is_decided {
        return Some(Difference::Unsettled { booking_id });
    }
    (known.is_void && !over).then_some(Difference::Superseded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::Charge;
    use crate::purchase::bookings::Booking;

    const OURS: &str = "https://shop.test";

    fn intent(id: &str, status: IntentStatus) -> Intent {
        let metadata = [(NewIntent::ORIGIN.to_owned(), OURS.to_owned())].into();
        let received = if status == IntentStatus::Succeeded { 1_000 } else { 0 };
        Intent { metadata, amount_received: received, ..Intent::sample(id, status) }
    }

    fn known(status: Status, intent_id: Option<&str>) -> Known {
        let booking = Booking::sample(status);
        Known { attempt_id: Uuid::max(), intent_id: intent_id.map(str::to_owned), is_void: false, booking }
    }

    #[test]
    fn an_intent_nobody_heard_of_finds_its_attempt() {
        let found = known(Status::Pending, None);
        let unheard = Difference::Unheard { attempt_id: Uuid::max(), booking_id: Uuid::nil() };
        for status in [IntentStatus::RequiresPaymentMethod, IntentStatus::RequiresCapture] {
            assert_eq!(between(&intent("pi_1", status), Some(&found), OURS), Some(unheard.clone()));
        }
        assert_eq!(between(&intent("pi_1", IntentStatus::Canceled), Some(&found), OURS), None);
    }

    #[test]
    fn what_nothing_knows_is_given_up_if_it_is_ours() {
        let open = intent("pi_1", IntentStatus::RequiresPaymentMethod);
        assert_eq!(between(&open, None, OURS), Some(Difference::Orphan));
        assert_eq!(between(&open, None, "https://another.test"), None, "a stranger's on the same account");
        assert_eq!(between(&intent("pi_1", IntentStatus::Canceled), None, OURS), None);
        let twin = known(Status::Pending, Some("pi_2"));
        assert_eq!(between(&open, Some(&twin), OURS), Some(Difference::Orphan));
    }

    #[test]
    fn money_and_bookings_must_fit() {
        use IntentStatus as I;
        let unsettled = Some(Difference::Unsettled { booking_id: Uuid::nil() });
        let superseded = Some(Difference::Superseded);
        for (status, intent_status, difference) in [
            (Status::Pending, I::RequiresPaymentMethod, None),
            (Status::Pending, I::RequiresCapture, unsettled.clone()),
            (Status::Pending, I::Succeeded, unsettled.clone()),
            (Status::Cancelled, I::RequiresPaymentMethod, unsettled.clone()),
            (Status::Cancelled, I::RequiresCapture, unsettled.clone()),
            (Status::Cancelled, I::Succeeded, unsettled.clone()),
            (Status::Cancelled, I::Canceled, None),
            (Status::Completed, I::RequiresCapture, unsettled),
            (Status::Completed, I::Canceled, None),
        ] {
            let found = known(status, Some("pi_1"));
            assert_eq!(between(&intent("pi_1", intent_status), Some(&found), OURS), difference, "{status:?}");
        }
        let found = Known { is_void: true, ..known(Status::Pending, Some("pi_1")) };
        assert_eq!(between(&intent("pi_1", I::RequiresPaymentMethod), Some(&found), OURS), superseded);
    }

    #[test]
    fn a_sale_is_paid_and_stays_so() {
        use IntentStatus as I;
        let found = known(Status::Completed, Some("pi_won"));
        let uncaptured = Some(Difference::Uncaptured { booking_id: Uuid::nil() });
        for status in [I::RequiresCapture, I::Succeeded, I::Canceled] {
            assert_eq!(between(&intent("pi_won", status), Some(&found), OURS), uncaptured);
        }
        let found = Known { booking: Booking::sample_captured(), ..found };
        assert_eq!(between(&intent("pi_won", I::Succeeded), Some(&found), OURS), None);
        let latest_charge = Some(Charge::Whole { amount_refunded: 1_000 });
        let refunded = Intent { latest_charge, ..intent("pi_won", I::Succeeded) };
        let given_back = Difference::GivenBack { booking_id: Uuid::nil() };
        assert_eq!(between(&refunded, Some(&found), OURS), Some(given_back));
    }
}
