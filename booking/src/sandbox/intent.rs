//! The life of a payment intent, as pure functions from one state to the next.
//! <https://docs.stripe.com/payments/paymentintents/lifecycle>

mod view;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::card::{AUTHENTICATION_FAILED, Card, Decline};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresAction,
    RequiresCapture,
    Canceled,
    Succeeded,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaptureMethod {
    Automatic,
    Manual,
}

/// What the ledger keeps of an intent. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) client_secret: String,
    pub(super) status: Status,
    pub(super) amount: i64,
    /// Lower case, as Stripe writes it.
    pub(super) currency: String,
    pub(super) capture_method: CaptureMethod,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    pub(super) payment_method: Option<String>,
    pub(super) return_url: Option<String>,
    /// Where the payer proves who they are, while the status is `RequiresAction`.
    pub(super) challenge_url: Option<String>,
    pub(super) last_error: Option<LastError>,
    /// Set from the first authorisation on.
    pub(super) charge: Option<String>,
    pub(super) received: i64,
    pub(super) refunded: i64,
    pub(super) canceled: Option<Timestamp>,
    pub(super) cancellation_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastError {
    pub(super) code: String,
    pub(super) decline_code: Option<String>,
    pub(super) message: String,
    pub(super) payment_method: Option<String>,
}

/// One step of an intent's life.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) intent: Intent,
    /// Type of the event that tells the shop.
    pub(super) event: &'static str,
    /// The step is a refusal by the bank: the caller gets 402.
    pub(super) declined: Option<Decline>,
}

/// Why a step may not be taken; the intent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `action` as a participle, for the sentence Stripe would write.
    UnexpectedState {
        action: &'static str,
        status: Status,
    },
    NoPaymentMethod,
    MoreThanAuthorised {
        amount: i64,
        most: i64,
    },
    MoreThanLeft {
        amount: i64,
        most: i64,
    },
    NothingToRefund,
    AlreadyRefunded,
}

/// How the shop wants an intent confirmed.
#[derive(Debug, Clone)]
pub(super) struct Confirmation {
    /// None: the payment method named before.
    pub(super) payment_method: Option<(String, Card)>,
    pub(super) return_url: Option<String>,
    /// The bank's page for this intent, should it want one.
    pub(super) challenge_url: String,
    /// Id for the charge, should there be one.
    pub(super) charge: String,
}

impl Intent {
    /// Asks the bank for an authorisation.
    pub(super) fn confirm(&self, with: Confirmation) -> Result<Step, Refusal> {
        if !matches!(self.status, Status::RequiresPaymentMethod | Status::RequiresAction) {
            return Err(Refusal::UnexpectedState { action: "confirmed", status: self.status });
        }
        let known = || Some((self.payment_method.clone()?, self.card()?));
        let (name, card) = with.payment_method.or_else(known).ok_or(Refusal::NoPaymentMethod)?;
        let mut next = self.clone();
        next.payment_method = Some(name);
        next.return_url = with.return_url.or(next.return_url);
        next.last_error = None;
        next.challenge_url = None;
        Ok(match card {
            Card::Approves | Card::RefusesCapture(_) => next.authorised(with.charge),
            Card::CapturesAtOnce => next.taken(with.charge),
            Card::Challenges { .. } => {
                next.status = Status::RequiresAction;
                next.challenge_url = Some(with.challenge_url);
                next.step("payment_intent.requires_action")
            }
            Card::Declines(decline) => next.declined(decline),
        })
    }

    /// The payer came back from the bank's page.
    pub(super) fn challenged(&self, approved: bool, charge: String) -> Result<Step, Refusal> {
        if self.status != Status::RequiresAction {
            return Err(Refusal::UnexpectedState { action: "authenticated", status: self.status });
        }
        let mut next = self.clone();
        next.challenge_url = None;
        let decline = match self.card() {
            _ if !approved => Some(AUTHENTICATION_FAILED),
            Some(Card::Challenges { then }) => then,
            _ => None,
        };
        Ok(match decline {
            Some(decline) => next.declined(decline),
            None => next.authorised(charge),
        })
    }

    /// Takes `amount`, or all that was authorised; the rest of the authorisation is let go. A bank that says no lets
    /// go of all of it.
    pub(super) fn capture(&self, amount: Option<i64>) -> Result<Step, Refusal> {
        if self.status != Status::RequiresCapture {
            return Err(Refusal::UnexpectedState { action: "captured", status: self.status });
        }
        let taken = amount.unwrap_or(self.amount);
        if taken > self.amount {
            return Err(Refusal::MoreThanAuthorised { amount: taken, most: self.amount });
        }
        let mut next = self.clone();
        if let Some(Card::RefusesCapture(decline)) = self.card() {
            return Ok(next.declined(decline));
        }
        next.status = Status::Succeeded;
        next.received = taken;
        Ok(next.step("payment_intent.succeeded"))
    }

    /// Gives up, and the authorisation with it.
    pub(super) fn cancel(&self, reason: Option<String>, now: Timestamp) -> Result<Step, Refusal> {
        if matches!(self.status, Status::Succeeded | Status::Canceled) {
            return Err(Refusal::UnexpectedState { action: "canceled", status: self.status });
        }
        let mut next = self.clone();
        next.status = Status::Canceled;
        next.challenge_url = None;
        next.canceled = Some(now);
        next.cancellation_reason = reason;
        Ok(next.step("payment_intent.canceled"))
    }

    /// Gives `amount` back, or all that is left; answers how much that was.
    pub(super) fn refund(&self, amount: Option<i64>) -> Result<(Step, i64), Refusal> {
        if self.status != Status::Succeeded {
            return Err(Refusal::NothingToRefund);
        }
        let most = self.received - self.refunded;
        if most == 0 {
            return Err(Refusal::AlreadyRefunded);
        }
        let given = amount.unwrap_or(most);
        if given > most {
            return Err(Refusal::MoreThanLeft { amount: given, most });
        }
        let mut next = self.clone();
        next.refunded += given;
        Ok((next.step("charge.refunded"), given))
    }

    fn card(&self) -> Option<Card> {
        self.payment_method.as_deref().and_then(Card::named)
    }

    fn authorised(mut self, charge: String) -> Step {
        if self.capture_method == CaptureMethod::Automatic {
            return self.taken(charge);
        }
        self.charge = Some(charge);
        self.status = Status::RequiresCapture;
        self.step("payment_intent.amount_capturable_updated")
    }

    /// Authorised and captured in one.
    fn taken(mut self, charge: String) -> Step {
        self.charge = Some(charge);
        self.status = Status::Succeeded;
        self.received = self.amount;
        self.step("payment_intent.succeeded")
    }

    fn declined(mut self, decline: Decline) -> Step {
        self.status = Status::RequiresPaymentMethod;
        self.last_error = Some(LastError {
            code: decline.code.to_owned(),
            decline_code: decline.decline_code.map(str::to_owned),
            message: decline.message.to_owned(),
            payment_method: self.payment_method.take(),
        });
        Step { intent: self, event: "payment_intent.payment_failed", declined: Some(decline) }
    }

    fn step(self, event: &'static str) -> Step {
        Step { intent: self, event, declined: None }
    }
}

#[cfg(test)]
mod tests;
