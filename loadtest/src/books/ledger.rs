//! The sandbox's own book: an append-only file, one JSON object a line, each with an intent as it is from then on
//! (docs/sandbox.md). The list above is what the sandbox says; this is what it did.

use std::{collections::HashMap, fs::File, io::BufRead as _, io::BufReader, path::Path};

use anyhow::Context as _;
use serde::Deserialize;
use uuid::Uuid;

use super::Intent;

/// Every intent as its last line leaves it, and what no history may contain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub intents: HashMap<String, Intent>,
    /// Steps that money must never take, in words.
    pub impossible: Vec<String>,
    /// What the refunds of an intent add up to.
    pub refunds: HashMap<String, i64>,
    /// Lines that concern money.
    pub lines: usize,
}

#[derive(Deserialize)]
struct Line {
    intent: Option<LineIntent>,
    refund: Option<LineRefund>,
}

#[derive(Deserialize)]
struct LineIntent {
    id: String,
    status: String,
    amount: i64,
    received: i64,
    refunded: i64,
    currency: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
struct LineRefund {
    payment_intent: String,
    amount: i64,
}

impl Ledger {
    /// # Errors
    /// When the file cannot be read, or a line is none of ours. A last line without its end is being written.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let said = || format!("the ledger {}", path.display());
        let mut reader = BufReader::new(File::open(path).with_context(said)?);
        let (mut ledger, mut line, mut number) = (Self::default(), Vec::new(), 0);
        loop {
            line.clear();
            number += 1;
            let read = reader.read_until(b'\n', &mut line).with_context(said)?;
            if read == 0 || line.last() != Some(&b'\n') {
                return Ok(ledger);
            }
            let line = serde_json::from_slice(&line).with_context(|| format!("{}, line {number}", said()))?;
            ledger.take(line);
        }
    }

    fn take(&mut self, line: Line) {
        if let Some(refund) = line.refund {
            *self.refunds.entry(refund.payment_intent).or_default() += refund.amount;
        }
        let Some(next) = line.intent else { return };
        self.lines += 1;
        if next.received > next.amount || next.refunded > next.received {
            self.impossible.push(format!("{} received {} of {}", next.id, next.received, next.amount));
        }
        let intent = Intent {
            id: next.id.clone(),
            status: next.status,
            amount_received: next.received,
            amount_refunded: next.refunded,
            currency: next.currency,
            booking_id: next.metadata.get("booking_id").and_then(|id| Uuid::parse_str(id).ok()),
        };
        if let Some(before) = self.intents.insert(next.id, intent.clone())
            && !may_follow(&before, &intent)
        {
            self.impossible.push(format!("{before:?} became {intent:?}"));
        }
    }
}

/// Money taken stays taken but for refunds, and what was given up stays given up.
fn may_follow(before: &Intent, after: &Intent) -> bool {
    let over = ["canceled", "succeeded"].contains(&before.status.as_str());
    let taken_once = before.amount_received == 0 || before.amount_received == after.amount_received;
    (!over || before.status == after.status)
        && taken_once
        && before.amount_refunded <= after.amount_refunded
        && before.booking_id == after.booking_id
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::{Value, json};

    use super::*;

    fn intent(status: &str, received: i64, refunded: i64) -> Value {
        json!({"at": "2026-01-01T00:00:00Z", "intent": {"id": "pi_1", "client_secret": "s", "status": status,
            "amount": 100, "currency": "usd", "capture_method": "manual", "received": received, "refunded": refunded,
            "metadata": {"booking_id": Uuid::nil()}}})
    }

    fn read(lines: &[Value], torn: &str) -> Ledger {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        write!(file, "{torn}").unwrap();
        Ledger::read(file.path()).unwrap()
    }

    #[test]
    fn the_last_line_of_an_intent_counts() {
        let lines = [
            intent("requires_payment_method", 0, 0),
            json!({"at": "2026-01-01T00:00:00Z", "settled": "evt_1"}),
            intent("requires_capture", 0, 0),
            intent("succeeded", 100, 0),
            json!({"at": "2026-01-01T00:00:00Z", "refund": {"id": "re_1", "payment_intent": "pi_1", "amount": 40}}),
            intent("succeeded", 100, 40),
        ];
        let ledger = read(&lines, r#"{"at": "20"#);
        let last = &ledger.intents["pi_1"];
        assert_eq!((last.status.as_str(), last.amount_received, last.amount_refunded), ("succeeded", 100, 40));
        assert_eq!(last.booking_id, Some(Uuid::nil()));
        assert_eq!((ledger.lines, ledger.refunds["pi_1"]), (4, 40));
        assert!(ledger.impossible.is_empty(), "{:?}", ledger.impossible);
    }

    #[test]
    fn money_that_moves_as_it_must_not_is_found() {
        for (before, after) in [
            (intent("canceled", 0, 0), intent("requires_capture", 0, 0)),
            (intent("succeeded", 100, 0), intent("canceled", 100, 0)),
            (intent("succeeded", 100, 50), intent("succeeded", 100, 0)),
            (intent("succeeded", 50, 0), intent("succeeded", 100, 0)),
            (intent("requires_capture", 0, 0), intent("succeeded", 101, 0)),
            (intent("requires_capture", 0, 0), intent("succeeded", 100, 101)),
        ] {
            assert_eq!(read(&[before, after], "").impossible.len(), 1);
        }
    }
}
