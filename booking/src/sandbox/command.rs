//! What a request asks for, and the decision on it: pure, given the intent as it is, the time and fresh ids.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    card::Card,
    error::ApiError,
    faults::Call,
    intent::{CaptureMethod, Confirmation, Intent, Status, Step},
    refund::Refund,
};

#[derive(Debug, Clone)]
pub(super) enum Command {
    Create(Create),
    /// Something done to an intent there should be already.
    Change {
        intent: String,
        change: Change,
    },
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Confirm {
        payment_method: Option<(String, Card)>,
        return_url: Option<String>,
        challenge_url: String,
    },
    /// The payer's answer on the bank's page.
    Challenge {
        approved: bool,
    },
    Capture {
        amount: Option<i64>,
    },
    Cancel {
        reason: Option<String>,
    },
    Refund {
        amount: Option<i64>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Create {
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) capture_method: CaptureMethod,
    pub(super) payment_method: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
}

/// Random names for what a decision may make; unused ones are forgotten.
#[derive(Debug, Clone)]
pub(super) struct FreshIds {
    pub(super) intent: String,
    pub(super) client_secret: String,
    pub(super) charge: String,
    pub(super) refund: String,
}

/// What changes, and what the caller is told.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) intent: Option<Intent>,
    pub(super) refund: Option<Refund>,
    pub(super) event: Option<&'static str>,
    pub(super) answer: Result<Value, ApiError>,
}

impl Command {
    /// Its name in fault scripts; none for what payers do.
    pub(super) fn call(&self) -> Option<Call> {
        Some(match self {
            Self::Create(_) => Call::Create,
            Self::Change { change, .. } => match change {
                Change::Confirm { .. } => Call::Confirm,
                Change::Challenge { .. } => return None,
                Change::Capture { .. } => Call::Capture,
                Change::Cancel { .. } => Call::Cancel,
                Change::Refund { .. } => Call::Refund,
            },
        })
    }

    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Change { intent, .. } => Some(intent),
        }
    }

    pub(super) fn decide(self, current: Option<&Intent>, ids: FreshIds, now: Timestamp) -> Decision {
        match (self, current) {
            (Self::Create(create), _) => Decision::step(create.intent(ids, now)),
            (Self::Change { change, .. }, Some(intent)) => change.decide(intent, ids, now),
            (Self::Change { intent, .. }, None) => Decision::unchanged(ApiError::no_such("payment_intent", &intent)),
        }
    }
}

impl Change {
    fn decide(self, intent: &Intent, ids: FreshIds, now: Timestamp) -> Decision {
        let step = match self {
            Self::Confirm { payment_method, return_url, challenge_url } => {
                intent.confirm(Confirmation { payment_method, return_url, challenge_url, charge: ids.charge })
            }
            Self::Challenge { approved } => intent.challenged(approved, ids.charge),
            Self::Capture { amount } => intent.capture(amount),
            Self::Cancel { reason } => intent.cancel(reason, now),
            Self::Refund { amount } => return refund(intent, amount, ids.refund, now),
        };
        match step {
            Ok(step) => Decision::step(step),
            Err(refusal) => Decision::unchanged(ApiError::refused(refusal, intent)),
        }
    }
}

impl Create {
    fn intent(self, ids: FreshIds, now: Timestamp) -> Step {
        let intent = Intent {
            client_secret: format!("{}_secret_{}", ids.intent, ids.client_secret),
            id: ids.intent,
            status: Status::RequiresPaymentMethod,
            amount: self.amount,
            currency: self.currency,
            capture_method: self.capture_method,
            metadata: self.metadata,
            description: self.description,
            created: now,
            payment_method: self.payment_method,
            return_url: None,
            challenge_url: None,
            last_error: None,
            charge: None,
            received: 0,
            refunded: 0,
            canceled: None,
            cancellation_reason: None,
        };
        Step { intent, event: "payment_intent.created", declined: None }
    }
}

impl Decision {
    fn step(step: Step) -> Self {
        let answer = match step.declined {
            Some(decline) => Err(ApiError::declined(decline, &step.intent)),
            None => Ok(step.intent.view(false)),
        };
        Self { answer, intent: Some(step.intent), refund: None, event: Some(step.event) }
    }

    pub(super) fn unchanged(error: ApiError) -> Self {
        Self { intent: None, refund: None, event: None, answer: Err(error) }
    }
}

fn refund(intent: &Intent, amount: Option<i64>, id: String, now: Timestamp) -> Decision {
    match intent.refund(amount) {
        Err(refusal) => Decision::unchanged(ApiError::refused(refusal, intent)),
        Ok((step, amount)) => {
            let refund = Refund {
                id,
                payment_intent: intent.id.clone(),
                charge: intent.charge.clone(),
                amount,
                currency: intent.currency.clone(),
                created: now,
            };
            let answer = Ok(refund.view());
            Decision { answer, refund: Some(refund), ..Decision::step(step) }
        }
    }
}
