//! Idempotency keys with Stripe's rules: the same key gives the first answer again, whatever it was, for a day;
//! with other parameters it is refused; while the first request is under way it is a conflict. Nothing is kept of
//! requests whose parameters were no good, which never began.
//! <https://docs.stripe.com/api/idempotent_requests>

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::encoding;

/// How long an answer is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Longest key taken, in bytes.
pub(super) const KEY_MAX_BYTES: usize = 255;

/// A key as sent, and a hash of what was asked with it.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) key: String,
    pub(super) fingerprint: String,
}

impl Key {
    /// `form` are the decoded parameters; their order does not matter.
    pub(super) fn new(key: String, path: &str, form: &[(String, String)]) -> Self {
        let mut sorted: Vec<_> = form.iter().collect();
        sorted.sort_unstable();
        let question = format!("{path} {sorted:?}");
        Self { key, fingerprint: encoding::hex(&encoding::sha256(&[question.as_bytes()])) }
    }
}

/// The first answer, as the ledger keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) status: u16,
    pub(super) body: String,
}

#[derive(Debug)]
pub(super) enum Begin {
    /// Nobody asked before; until `end`, others with the key wait or are refused.
    Fresh,
    Again {
        status: u16,
        body: String,
    },
    InUse,
    OtherParameters,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    saved: HashMap<String, Saved>,
    /// Keys in the order they were saved, to forget them by age.
    by_age: VecDeque<(Timestamp, String)>,
    under_way: HashSet<String>,
}

impl Answers {
    pub(super) fn begin(&mut self, key: &Key) -> Begin {
        match self.saved.get(&key.key) {
            Some(saved) if saved.fingerprint != key.fingerprint => Begin::OtherParameters,
            Some(saved) => Begin::Again { status: saved.status, body: saved.body.clone() },
            None if self.under_way.insert(key.key.clone()) => Begin::Fresh,
            None => Begin::InUse,
        }
    }

    /// Whether asking again gets the first answer.
    pub(super) fn are_saved_under(&self, key: &Key) -> bool {
        self.saved.contains_key(&key.key)
    }

    pub(super) fn end(&mut self, key: &str) {
        self.under_way.remove(key);
    }

    pub(super) fn save(&mut self, saved: Saved, at: Timestamp) {
        while self.by_age.front().is_some_and(|(then, _)| at.duration_since(*then) > REMEMBERED) {
            if let Some((_, old)) = self.by_age.pop_front() {
                self.saved.remove(&old);
            }
        }
        self.by_age.push_back((at, saved.key.clone()));
        self.saved.insert(saved.key.clone(), saved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parameters: &[(&str, &str)]) -> Key {
        let form: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Key::new("k".to_owned(), "/v1/payment_intents", &form)
    }

    fn saved(key: &Key) -> Saved {
        Saved { key: key.key.clone(), fingerprint: key.fingerprint.clone(), status: 402, body: "no".to_owned() }
    }

    #[test]
    fn a_key_means_one_request() {
        let mut answers = Answers::default();
        let first = key(&[("amount", "1"), ("currency", "usd")]);
        assert!(matches!(answers.begin(&first), Begin::Fresh));
        assert!(matches!(answers.begin(&first), Begin::InUse));
        answers.save(saved(&first), Timestamp::UNIX_EPOCH);
        answers.end(&first.key);
        let reordered = key(&[("currency", "usd"), ("amount", "1")]);
        assert!(matches!(answers.begin(&reordered), Begin::Again { status: 402, .. }));
        assert!(matches!(answers.begin(&key(&[("amount", "2")])), Begin::OtherParameters));
    }

    #[test]
    fn an_answer_is_forgotten_after_a_day() {
        let mut answers = Answers::default();
        let old = key(&[]);
        answers.save(saved(&old), Timestamp::UNIX_EPOCH);
        let other = Saved { key: "other".to_owned(), ..saved(&old) };
        answers.save(other, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(25));
        assert!(matches!(answers.begin(&old), Begin::Fresh));
    }
}
