//! Ways that lead past the crash points, up to the end of the process, and on after its restart.

use std::time::Duration;

use loadtest::audit::Told;
use serde_json::{Value, json};
use uuid::Uuid;

use super::found;
use crate::support::buyer::{Buyer, CARD};
use crate::support::process::until;
use crate::support::shop::Shop;

/// How a fan or an operator comes to the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The answer to a checkout does not come; the fan asks again under the same key, and pays.
    CheckOut,
    /// The same, but the fan has gone.
    CheckOutAndLeave,
    /// The answer to a payment does not come; the fan presses again.
    Pay,
    /// Paid in the browser, which is closed at once.
    PayAndLeave,
    /// Never paid.
    Expire,
    /// Given up by the fan, who presses again.
    GiveUp,
    /// Never paid, and the provider fails to cancel until the cap is over.
    Unreachable,
    /// The same, and then the fan pays after all.
    PayLate,
    /// Bought, and refunded by an operator.
    Refund,
}

/// What the fan has in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Bought,
    /// No seats, no money gone.
    Free,
}

impl Path {
    pub(super) fn name(self) -> &'static str {
        match self {
            Path::CheckOut => "checkout, asked again",
            Path::CheckOutAndLeave => "checkout, nobody comes back",
            Path::Pay => "payment, asked again",
            Path::PayAndLeave => "paid in the browser, closed",
            Path::Expire => "never paid",
            Path::GiveUp => "given up",
            Path::Unreachable => "never paid, provider fails to cancel",
            Path::PayLate => "paid after the seats were freed",
            Path::Refund => "refunded by an operator",
        }
    }

    /// Of the booking process.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Path::CheckOut | Path::Pay | Path::PayAndLeave | Path::Refund => &["booking.hold_s=60"],
            Path::CheckOutAndLeave | Path::Expire => &["booking.hold_s=3", "booking.expiry_cap_s=60"],
            Path::GiveUp => &["booking.hold_s=60", "booking.expiry_cap_s=60"],
            Path::Unreachable | Path::PayLate => &["booking.hold_s=3", "booking.expiry_cap_s=1"],
        }
    }

    /// Whether it is the operator's tool that dies, and not the booking process.
    pub(super) fn kills_the_tool(self, point: &str) -> bool {
        self == Path::Refund && point == "refund.decided"
    }
}

/// One fan on one path.
pub(super) struct Walk {
    pub(super) buyer: Buyer,
    path: Path,
    /// The point, when the tool is to die there.
    tool_dies_at: Option<&'static str>,
    wish: Value,
    key: String,
    booking: Option<Uuid>,
}

impl Walk {
    pub(super) fn new(buyer: Buyer, path: Path, tool_dies_at: Option<&'static str>, seats: &[String]) -> Self {
        let (wish, key) = (buyer.named(seats), Uuid::new_v4().to_string());
        Self { buyer, path, tool_dies_at, wish, key, booking: None }
    }

    /// Up to where the process ought to end.
    pub(super) async fn before(&mut self, shop: &Shop) -> Result<(), String> {
        match self.path {
            Path::CheckOut | Path::CheckOutAndLeave => {
                self.buyer.try_checkout(&self.wish, &self.key).await;
            }
            Path::Pay => {
                let booking = self.check_out().await?;
                self.buyer.try_confirm(booking, Some(CARD), "confirm").await;
            }
            Path::PayAndLeave => {
                self.check_out().await?;
                self.pay_at_provider().await?;
            }
            Path::Expire => drop(self.check_out().await?),
            Path::GiveUp => {
                let booking = self.check_out().await?;
                self.buyer.try_cancel(booking).await;
            }
            Path::Unreachable => {
                self.outlive_the_cap(shop).await?;
                shop.provider_faults(None).await;
            }
            Path::PayLate => {
                self.outlive_the_cap(shop).await?;
                self.pay_at_provider().await?;
            }
            Path::Refund => {
                let booking = self.check_out().await?;
                self.pay(booking).await?;
                until("the money is taken", async || found::is_captured(&shop.pool, booking).await).await;
                self.refund(shop, self.tool_dies_at).await?;
            }
        }
        Ok(())
    }

    /// What fan and operator do when they are answered again.
    pub(super) async fn after(&mut self, shop: &Shop) -> Result<Option<Told>, String> {
        match self.path {
            Path::CheckOut => {
                let booking = self.check_out().await?;
                self.pay(booking).await.map(Some)
            }
            Path::Pay => {
                let booking = self.booking.ok_or("no booking")?;
                self.pay(booking).await.map(Some)
            }
            Path::PayAndLeave => {
                let booking = self.booking.ok_or("no booking")?;
                until("the booking is completed", async || found::is_captured(&shop.pool, booking).await).await;
                Ok(Some(self.look(booking).await?))
            }
            Path::PayLate => {
                let booking = self.booking.ok_or("no booking")?;
                until("the booking is regained", async || found::is_captured(&shop.pool, booking).await).await;
                shop.provider_faults(None).await;
                Ok(Some(self.look(booking).await?))
            }
            Path::GiveUp => {
                let booking = self.booking.ok_or("no booking")?;
                match self.buyer.cancel(booking).await {
                    Some(answer) if answer.status == 200 => Ok(None),
                    answer => Err(format!("cancelled again: {answer:?}")),
                }
            }
            Path::Refund => self.refund(shop, None).await.map(|()| None),
            Path::CheckOutAndLeave | Path::Expire | Path::Unreachable => Ok(None),
        }
    }

    /// The same key once more, when all is over: the same booking.
    pub(super) async fn repeats(&self, end: End) -> Result<(), String> {
        if end == End::Free {
            return Ok(());
        }
        let answer = self.buyer.checkout(&self.wish, &self.key).await.ok_or("no answer to a repetition")?;
        if (answer.status, answer.booking_id()) == (201, self.booking) {
            Ok(())
        } else {
            Err(format!("repeated under the same key, {:?} became {answer:?}", self.booking))
        }
    }

    async fn check_out(&mut self) -> Result<Uuid, String> {
        let answer = self.buyer.checkout(&self.wish, &self.key).await.ok_or("checkout: no answer")?;
        let booking = answer.booking_id().filter(|_| answer.status == 201);
        self.booking = booking;
        booking.ok_or_else(|| format!("checkout: {answer:?}"))
    }

    async fn pay(&self, booking: Uuid) -> Result<Told, String> {
        let answer = self.buyer.confirm(booking, Some(CARD), "confirm").await.ok_or("confirm: no answer")?;
        if answer.status == 200 { Ok(self.buyer.told(&answer.body)) } else { Err(format!("confirm: {answer:?}")) }
    }

    async fn look(&self, booking: Uuid) -> Result<Told, String> {
        let answer = self.buyer.look(booking).await.ok_or("no answer")?;
        if answer.status == 200 { Ok(self.buyer.told(&answer.body)) } else { Err(format!("look: {answer:?}")) }
    }

    async fn pay_at_provider(&self) -> Result<(), String> {
        let answer = self.buyer.checkout(&self.wish, &self.key).await.ok_or("no answer to a repetition")?;
        let (intent, secret) = answer.intent().ok_or_else(|| format!("no intent in {answer:?}"))?;
        let paid = self.buyer.pay_at_provider(intent, secret, CARD).await;
        if paid.as_ref().is_some_and(|paid| paid.status == 200) { Ok(()) } else { Err(format!("paid: {paid:?}")) }
    }

    /// The seats are freed although the provider has not cancelled.
    async fn outlive_the_cap(&mut self, shop: &Shop) -> Result<(), String> {
        let booking = self.check_out().await?;
        let fails = json!({ "rules": [{ "call": "cancel", "effect": "500" }] });
        shop.provider_faults(Some(&fails)).await;
        until("the seats are freed", async || found::is_cancelled(&shop.pool, booking).await).await;
        Ok(())
    }

    async fn refund(&self, shop: &Shop, dies_at: Option<&str>) -> Result<(), String> {
        let booking = self.booking.ok_or("no booking")?.to_string();
        let said = shop.tool(&["booking", "refund", &booking], dies_at).await;
        match dies_at {
            Some(_) if said.code == -1 => Ok(()),
            None if said.code == 0 => Ok(()),
            _ => Err(format!("refund: {said:?}")),
        }
    }
}

/// Longest from the first step to the end of the process.
pub(super) const REACHED_WITHIN: Duration = Duration::from_secs(40);
