//! A script: rules in order, each with its own count. The first that fires decides; whoever looks at the counts sees
//! how often each did.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Rules of one script.
const RULES_MAX: usize = 100;
/// Copies of one webhook, and events that a `reorder` collects.
const COUNT_MAX: u32 = 100;
/// Longest wait, in milliseconds: a day.
const MS_MAX: u64 = 86_400_000;
/// Copies of a `duplicate`, and events of a `reorder`, that names no count.
const COUNT_DEFAULT: u32 = 2;
/// How long a `reorder` collects that does not say, in milliseconds.
const REORDER_MS_DEFAULT: u64 = 1_000;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Call {
    Create,
    Confirm,
    Capture,
    Cancel,
    Refund,
    /// One intent is looked at.
    Fetch,
    /// Intents, refunds or events are listed.
    List,
    /// Every call of the API, but no webhook.
    Any,
    Webhook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Effect {
    #[serde(rename = "500")]
    Fails,
    #[serde(rename = "500_after")]
    FailsAfter,
    #[serde(rename = "429")]
    TooMany,
    TimeoutBefore,
    TimeoutAfter,
    /// Of calls and webhooks alike.
    Delay,
    Drop,
    Duplicate,
    Reorder,
}

impl Effect {
    fn fits(self, call: Call) -> bool {
        match self {
            Self::Delay => true,
            Self::Drop | Self::Duplicate | Self::Reorder => call == Call::Webhook,
            Self::Fails | Self::FailsAfter | Self::TooMany | Self::TimeoutBefore | Self::TimeoutAfter => {
                call != Call::Webhook
            }
        }
    }

    /// Answers that are saved under the idempotency key: who has an answer already, gets no other.
    fn is_saved(self) -> bool {
        matches!(self, Self::Fails | Self::FailsAfter)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    call: Call,
    effect: Effect,
    /// Fires at most so often; without it, until the script ends.
    #[serde(default)]
    times: Option<u64>,
    /// Fires at every so manieth call that it sees; without it, at each.
    #[serde(default)]
    every: Option<u64>,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    ms: Option<u64>,
    /// Webhooks of this type only.
    #[serde(default)]
    event: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Script {
    rules: Vec<Counted>,
}

#[derive(Debug, Clone)]
struct Counted {
    rule: Rule,
    /// Calls that reached it.
    seen: u64,
    fired: u64,
}

/// Why a script is refused.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct BadScript {
    /// As in `rules[0].effect`; empty when it is no script at all.
    pub(in crate::sandbox) field: String,
    pub(in crate::sandbox) message: String,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Fault {
    /// 500, saved under the idempotency key; carried out all the same, or not.
    Fails { carried_out: bool },
    /// 429, saved nowhere.
    TooMany,
    /// Nothing is answered: the connection is cut after this long; carried out before, or not at all.
    Cut { after: Duration, carried_out: bool },
    /// Carried out this much later, whether or not anybody waits for it still.
    Late(Duration),
}

/// What goes wrong with a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Spoiled {
    /// Never sent, not after a restart either.
    Dropped,
    /// So many at once.
    Copies(u32),
    /// Sent this much later, on the sandbox's clock.
    Late(Duration),
    /// Kept until there are so many, or for this long on the sandbox's clock; then the last goes first.
    Held { count: u32, at_most: Duration },
}

impl Script {
    pub(in crate::sandbox) fn parse(json: &[u8]) -> Result<Self, BadScript> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            rules: Vec<Rule>,
        }
        // axum's reader tells where in the document a mistake is
        let axum::Json(wire) = axum::Json::<Wire>::from_bytes(json).map_err(|error| {
            let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let (field, message) =
                text.split_once(": ").filter(|(field, _)| !field.contains(' ')).unwrap_or(("", &text));
            BadScript { field: field.to_owned(), message: message.to_owned() }
        })?;
        if wire.rules.len() > RULES_MAX {
            return Err(BadScript { field: "rules".to_owned(), message: format!("At most {RULES_MAX} rules.") });
        }
        for (index, rule) in wire.rules.iter().enumerate() {
            rule.check().map_err(|(field, message)| BadScript { field: format!("rules[{index}].{field}"), message })?;
        }
        Ok(Self { rules: wire.rules.into_iter().map(|rule| Counted { rule, seen: 0, fired: 0 }).collect() })
    }

    /// The rules as they were given, with how often each saw a call and fired.
    pub(in crate::sandbox) fn view(&self) -> Value {
        let rules = self.rules.iter().map(|counted| {
            let mut rule = json!(counted.rule);
            rule["seen"] = json!(counted.seen);
            rule["fired"] = json!(counted.fired);
            rule
        });
        json!({ "rules": rules.collect::<Vec<_>>() })
    }

    /// `replay`: the call's idempotency key has an answer already.
    pub(in crate::sandbox) fn call(&mut self, call: Call, replay: bool) -> Option<Fault> {
        let rule = self.fire(|rule| {
            (rule.call == call || rule.call == Call::Any && call != Call::Webhook)
                && !(replay && rule.effect.is_saved())
        })?;
        let wait = rule.wait(0);
        Some(match rule.effect {
            Effect::Fails => Fault::Fails { carried_out: false },
            Effect::FailsAfter => Fault::Fails { carried_out: true },
            Effect::TooMany => Fault::TooMany,
            Effect::TimeoutBefore => Fault::Cut { after: wait, carried_out: false },
            Effect::TimeoutAfter => Fault::Cut { after: wait, carried_out: true },
            Effect::Delay => Fault::Late(wait),
            Effect::Drop | Effect::Duplicate | Effect::Reorder => return None,
        })
    }

    pub(in crate::sandbox) fn webhook(&mut self, kind: &str) -> Option<Spoiled> {
        let wanted = |rule: &Rule| rule.event.as_deref().is_none_or(|event| event == kind);
        let rule = self.fire(|rule| rule.call == Call::Webhook && wanted(rule))?;
        let count = rule.count.unwrap_or(COUNT_DEFAULT);
        Some(match rule.effect {
            Effect::Drop => Spoiled::Dropped,
            Effect::Duplicate => Spoiled::Copies(count),
            Effect::Delay => Spoiled::Late(rule.wait(0)),
            Effect::Reorder => Spoiled::Held { count, at_most: rule.wait(REORDER_MS_DEFAULT) },
            _ => return None,
        })
    }

    /// The first rule that fires; those after it do not hear of the call.
    fn fire(&mut self, matches: impl Fn(&Rule) -> bool) -> Option<&Rule> {
        self.rules.iter_mut().filter(|counted| matches(&counted.rule)).find_map(|counted| {
            counted.seen += 1;
            let used_up = counted.rule.times.is_some_and(|times| counted.fired >= times);
            let fires = !used_up && counted.seen.is_multiple_of(counted.rule.every.unwrap_or(1));
            counted.fired += u64::from(fires);
            fires.then_some(&counted.rule)
        })
    }
}

impl Rule {
    fn wait(&self, default_ms: u64) -> Duration {
        Duration::from_millis(self.ms.unwrap_or(default_ms))
    }

    /// Names the field that makes no sense.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.effect.fits(self.call) {
            let fitting = if self.call == Call::Webhook {
                "drop, duplicate, delay, reorder"
            } else {
                "500, 500_after, 429, timeout_before, timeout_after, delay"
            };
            return Err(("effect", format!("Does not go with this call, which takes {fitting}.")));
        }
        if self.times == Some(0) || self.every == Some(0) {
            let field = if self.times == Some(0) { "times" } else { "every" };
            return Err((field, "Must be 1 or more, or left out.".to_owned()));
        }
        if self.count.is_some_and(|count| !(1..=COUNT_MAX).contains(&count)) {
            return Err(("count", format!("Must be from 1 to {COUNT_MAX}.")));
        }
        if self.count.is_some() && !matches!(self.effect, Effect::Duplicate | Effect::Reorder) {
            return Err(("count", "Goes with duplicate and reorder only.".to_owned()));
        }
        if self.ms.is_some_and(|ms| ms > MS_MAX) {
            return Err(("ms", format!("Must be at most {MS_MAX}.")));
        }
        let waits =
            matches!(self.effect, Effect::TimeoutBefore | Effect::TimeoutAfter | Effect::Delay | Effect::Reorder);
        if self.ms.is_some() && !waits {
            return Err(("ms", "Goes with timeout_before, timeout_after, delay and reorder only.".to_owned()));
        }
        if self.ms.is_none() && self.effect == Effect::Delay {
            return Err(("ms", "How long is the delay?".to_owned()));
        }
        if self.event.is_some() && self.call != Call::Webhook {
            return Err(("event", "Goes with webhooks only.".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
