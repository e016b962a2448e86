//! Everything the sandbox knows, in memory: what the ledger says, entry by entry. Starting up and running go through
//! the same [`Book::apply`].

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    idempotency::{Answers, Saved},
    intent::Intent,
    list::{NoSuch, Query},
    refund::Refund,
};

/// One line of the ledger: all that one request changed, or word that an event arrived. `docs/sandbox.md` describes it
/// for those who read the file.
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
    /// Its type.
    pub(super) kind: String,
    pub(super) body: Arc<str>,
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
        Some(Event { id: name.id.clone(), kind: name.kind.clone(), body: body.to_string().into() })
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

/// Events that can be listed; older ones are in the ledger alone.
const EVENTS_MAX: usize = 10_000;

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
    /// The last `EVENTS_MAX`, oldest first.
    events: VecDeque<(Timestamp, Event)>,
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
            if self.events.len() == EVENTS_MAX {
                self.events.pop_front();
            }
            self.events.push_back((entry.at, event.clone()));
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

    pub(super) fn intents(&self, query: &Query, expand_charge: bool) -> Result<Page, NoSuch> {
        let position = |id: &str| self.intents.get(id).map(|slot| slot.position);
        let at = |index: usize| &self.intents[&self.order[index]].intent;
        let (found, has_more) = query.page(self.order.len(), position, |index| at(index).created)?;
        Ok(Page { items: found.into_iter().map(|index| at(index).view(expand_charge)).collect(), has_more })
    }

    /// Of this type only, if one is named.
    pub(super) fn events(&self, query: &Query, kind: Option<&str>) -> Result<Page, NoSuch> {
        let events: Vec<_> =
            self.events.iter().filter(|(_, event)| kind.is_none_or(|kind| event.kind == kind)).collect();
        let position = |id: &str| events.iter().position(|(_, event)| event.id == id);
        let (found, has_more) = query.page(events.len(), position, |index| events[index].0)?;
        let view = |index: usize| serde_json::from_str(&events[index].1.body).unwrap_or(Value::Null);
        Ok(Page { items: found.into_iter().map(view).collect(), has_more })
    }

    pub(super) fn refunds_of(&self, intent: &str) -> Vec<Value> {
        self.refunds.iter().rev().filter(|refund| refund.payment_intent == intent).map(Refund::view).collect()
    }
}
