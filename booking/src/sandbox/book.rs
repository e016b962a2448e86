//! Everything the sandbox knows, in memory: what the ledger says, entry by entry. Starting up and running go through
//! the same [`Book::apply`].

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    idempotency::{Answers, Saved},
    intent::Intent,
    refund::Refund,
};

/// One line of the ledger: all that one request changed, or word that an event arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    /// The intent as it is from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) intent: Option<Intent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refund: Option<Refund>,
    /// The shop has to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<EventName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Saved>,
    /// Id of an event that needs no more sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settled: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EventName {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// What the shop is told. <https://docs.stripe.com/api/events/object>
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) body: String,
}

impl Entry {
    /// The event this entry owes the shop.
    pub(super) fn event(&self) -> Option<Event> {
        let (name, intent) = (self.event.as_ref()?, self.intent.as_ref()?);
        let object = if name.kind.starts_with("charge.") { intent.charge_view() } else { intent.view(false) };
        let body = json!({
            "id": name.id,
            "object": "event",
            "created": self.at.as_second(),
            "livemode": false,
            "type": name.kind,
            "data": { "object": object },
        });
        Some(Event { id: name.id.clone(), body: body.to_string() })
    }

    /// Word that an event needs no more sending.
    pub(super) fn settled(event: String, at: Timestamp) -> Self {
        Self { at, intent: None, refund: None, event: None, answer: None, settled: Some(event) }
    }

    /// Losing it only means sending an event twice, which shops must bear anyway.
    pub(super) fn is_disposable(&self) -> bool {
        self.settled.is_some()
    }
}

/// Held by the one request that changes an intent.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

struct Slot {
    intent: Intent,
    /// Index in `order`.
    position: usize,
    turn: Turn,
}

#[derive(Default)]
pub(super) struct Book {
    intents: HashMap<String, Slot>,
    /// Ids, oldest first.
    order: Vec<String>,
    refunds: Vec<Refund>,
    /// Events the shop has not taken yet, in no order.
    owed: HashMap<String, Event>,
    pub(super) answers: Answers,
}

/// A page of a list, newest first.
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) has_more: bool,
}

impl Book {
    pub(super) fn apply(&mut self, entry: Entry) {
        if let Some(event) = entry.event() {
            self.owed.insert(event.id.clone(), event);
        }
        if let Some(id) = &entry.settled {
            self.owed.remove(id);
        }
        if let Some(answer) = entry.answer {
            self.answers.save(answer, entry.at);
        }
        self.refunds.extend(entry.refund);
        if let Some(intent) = entry.intent {
            self.put(intent);
        }
    }

    fn put(&mut self, intent: Intent) {
        if let Some(slot) = self.intents.get_mut(&intent.id) {
            slot.intent = intent;
            return;
        }
        let id = intent.id.clone();
        let slot = Slot { intent, position: self.order.len(), turn: Turn::default() };
        self.order.push(id.clone());
        self.intents.insert(id, slot);
    }

    pub(super) fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.get(id).map(|slot| &slot.intent)
    }

    pub(super) fn turn(&self, id: &str) -> Option<Turn> {
        self.intents.get(id).map(|slot| slot.turn.clone())
    }

    /// Events to send again after a restart.
    pub(super) fn owed(&self) -> Vec<Event> {
        self.owed.values().cloned().collect()
    }

    /// Intents older than `after`, or the newest; None when there is no such intent.
    pub(super) fn page(&self, after: Option<&str>, limit: usize, expand_charge: bool) -> Option<Page> {
        let end = match after {
            None => self.order.len(),
            Some(id) => self.intents.get(id)?.position,
        };
        let start = end.saturating_sub(limit);
        let ids = self.order[start..end].iter().rev();
        let items = ids.filter_map(|id| self.intent(id)).map(|intent| intent.view(expand_charge)).collect();
        Some(Page { items, has_more: start > 0 })
    }

    pub(super) fn refunds_of(&self, intent: &str) -> Vec<Value> {
        self.refunds.iter().rev().filter(|refund| refund.payment_intent == intent).map(Refund::view).collect()
    }
}
