//! Buying: checkout with fewer and fewer seats, then the card.

use std::time::Duration;

use http::StatusCode;
use rand::RngExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Fan, lost};
use crate::{
    http::{Answer, Call},
    protocol::{BookingAnswer, BookingStatus},
    record::{Ending, Kind, Purchase},
};

/// Checkouts tried before a fan despairs.
const CHECKOUTS_MOST: u32 = 60;
/// Looks at a sold-out event before the fan believes it: holds of others may lapse.
const SOLD_OUT_LOOKS: u32 = 3;
/// Choices of explicit seats before the fan takes the best available.
const CHOICES_MOST: u32 = 3;
/// Between two looks at the same thing, at least.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const GOOD_CARD: &str = "pm_card_visa";
const DECLINED_CARD: &str = "pm_card_chargeDeclined";

/// What a fan still hopes for.
struct Wish {
    /// Index into the drop's events; they are tried in turn.
    event: usize,
    events_left: usize,
    quantity: u32,
    choices_left: u32,
    looks_left: u32,
}

/// What became of one checkout.
enum Checkout {
    Held(BookingAnswer),
    /// The wish was lowered; try it.
    Again,
    /// Try it after a while.
    Later,
    /// The evening is over.
    Over(Ending),
}

/// What became of one payment.
enum Payment {
    Completed,
    /// The hold ended before the payment did; try again.
    Expired,
}

impl Fan {
    /// From the admission token to the tickets, or to nothing left.
    pub(super) async fn buy(&mut self, token: &str) -> Ending {
        let ending = match self.shop(token).await {
            Ok(ending) | Err(ending) => ending,
        };
        if matches!(ending, Ending::SoldOut) {
            self.leave().await; // the slot goes on at once; a purchase ends the place by itself
        }
        self.client.close();
        ending
    }

    async fn shop(&mut self, token: &str) -> Result<Ending, Ending> {
        let events = self.crowd.events.len();
        if events == 0 {
            return Err(lost("the drop names no event to buy"));
        }
        let mut wish = Wish {
            event: self.rng.random_range(0..events),
            events_left: events,
            quantity: self.plan.quantity,
            choices_left: if self.plan.chooses_seats { CHOICES_MOST } else { 0 },
            looks_left: SOLD_OUT_LOOKS,
        };
        for _ in 0..CHECKOUTS_MOST {
            match self.check_out(token, &mut wish).await? {
                Checkout::Held(booking) => match self.pay(&booking).await? {
                    Payment::Completed => return Ok(self.bought(booking, wish.event)),
                    Payment::Expired => {}
                },
                Checkout::Again => {}
                Checkout::Later => self.rest_about(LOOK_AGAIN).await?,
                Checkout::Over(ending) => return Ok(ending),
            }
        }
        Err(lost(format!("no end after {CHECKOUTS_MOST} checkouts")))
    }

    fn bought(&mut self, booking: BookingAnswer, event: usize) -> Ending {
        self.crowd.tallies.tickets(booking.tickets.len());
        self.record.purchase = Some(Purchase {
            booking_id: booking.booking_id,
            event_id: self.crowd.events[event],
            seats: booking.tickets.into_iter().map(|ticket| ticket.seat).collect(),
            total: booking.total.amount,
            currency: booking.total.currency,
        });
        Ending::Bought
    }

    async fn check_out(&mut self, token: &str, wish: &mut Wish) -> Result<Checkout, Ending> {
        let event = self.crowd.events[wish.event];
        let chosen = if wish.choices_left > 0 {
            wish.choices_left -= 1;
            self.choose(event, wish.quantity).await?
        } else {
            None
        };
        let body = match &chosen {
            Some(seats) => json!({"event_id": event, "seats": seats}),
            None => json!({"event_id": event, "best_available": {"quantity": wish.quantity}}),
        };
        let call = self
            .to_the_shop("/booking/checkout", &body)
            .with("onsale-admission", token)
            .with("onsale-visitor", &self.visitor);
        let answer = self.settled(Kind::Checkout, &call).await?;
        if answer.status == StatusCode::CREATED {
            return match answer.read() {
                Ok(booking) => Ok(Checkout::Held(booking)),
                Err(trouble) => Err(lost(format!("checkout: {trouble}"))),
            };
        }
        self.refused(&answer, wish, chosen.is_some()).await
    }

    async fn refused(&mut self, answer: &Answer, wish: &mut Wish, chose: bool) -> Result<Checkout, Ending> {
        let problem = answer.problem();
        Ok(match (answer.status.as_u16(), problem.slug()) {
            (409, "seats-taken" | "sold-out") if chose => Checkout::Again,
            (409, "seats-taken" | "sold-out" | "limit") if wish.quantity > 1 => {
                wish.quantity -= 1;
                Checkout::Again
            }
            (409, "seats-taken") => Checkout::Later,
            (409, "sold-out") if wish.events_left > 1 => {
                wish.events_left -= 1;
                wish.event = (wish.event + 1) % self.crowd.events.len();
                wish.quantity = self.plan.quantity;
                Checkout::Again
            }
            (409, "sold-out") if wish.looks_left > 0 => {
                wish.looks_left -= 1;
                Checkout::Later
            }
            (409, "sold-out") => Checkout::Over(Ending::SoldOut),
            (409, "not-on-sale") => Checkout::Over(Ending::DropEnded),
            (409, "booking-open") => match problem.booking_id {
                Some(booking) => self.look(booking).await?,
                None => Checkout::Later,
            },
            _ => Checkout::Over(lost(format!("checkout: {}", answer.describe()))),
        })
    }

    /// A booking that is open already: an earlier checkout went through after all.
    async fn look(&mut self, booking: Uuid) -> Result<Checkout, Ending> {
        let call = self.signed_in(Call::get(format!("/booking/{booking}")));
        let answer = self.call(Kind::Booking, &call).await?;
        Ok(match answer.read::<BookingAnswer>() {
            Ok(booking) if answer.status.is_success() && booking.status == "pending" => Checkout::Held(booking),
            _ => Checkout::Later,
        })
    }

    async fn pay(&mut self, booking: &BookingAnswer) -> Result<Payment, Ending> {
        if self.plan.declined_first {
            let answer = self.confirm(booking.booking_id, DECLINED_CARD).await?;
            match answer.status.as_u16() {
                402 => {}
                410 => return Ok(Payment::Expired),
                _ => return Err(lost(format!("confirm, declined card: {}", answer.describe()))),
            }
        }
        let answer = self.confirm(booking.booking_id, GOOD_CARD).await?;
        match answer.status.as_u16() {
            200 | 202 => {}
            410 => return Ok(Payment::Expired),
            _ => return Err(lost(format!("confirm: {}", answer.describe()))),
        }
        let mut status: BookingStatus = answer.read().map_err(|trouble| lost(format!("confirm: {trouble}")))?;
        loop {
            match status.status.as_str() {
                "completed" => return Ok(Payment::Completed),
                "cancelled" => return Ok(Payment::Expired),
                _ => {}
            }
            self.rest_about(LOOK_AGAIN).await?;
            let call = self.signed_in(Call::get(format!("/booking/{}", booking.booking_id)));
            let answer = self.call(Kind::Booking, &call).await?;
            if !answer.status.is_success() {
                return Err(lost(format!("booking: {}", answer.describe())));
            }
            status = answer.read().map_err(|trouble| lost(format!("booking: {trouble}")))?;
        }
    }

    async fn confirm(&mut self, booking: Uuid, card: &str) -> Result<Answer, Ending> {
        let body = json!({"booking_id": booking, "payment_method": card});
        let call = self.to_the_shop("/booking/confirm", &body);
        self.settled(Kind::Confirm, &call).await
    }

    /// Makes a call until it is not in flight from an earlier attempt any more.
    async fn settled(&mut self, kind: Kind, call: &Call) -> Result<Answer, Ending> {
        loop {
            let answer = self.call(kind, call).await?;
            if answer.status != StatusCode::CONFLICT || answer.problem().slug() != "in-flight" {
                return Ok(answer);
            }
            *self.record.retries.entry("in-flight").or_default() += 1;
            self.rest_about(LOOK_AGAIN).await?;
        }
    }

    fn to_the_shop(&self, path: &str, body: &Value) -> Call {
        self.signed_in(Call::post(path)).with("idempotency-key", Uuid::new_v4().to_string()).json(body)
    }

    fn signed_in(&self, call: Call) -> Call {
        call.with("authorization", format!("Bearer {}", self.session))
    }
}
