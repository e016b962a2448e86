//! Every Redis key of booking, in one place.
//!
//! All keys of an event share the hash tag `{event_id}`, so that a script may touch them together in a
//! cluster. They are a projection of Postgres: losing any of them loses nothing.
//!
//! | key | type | holds | lifetime |
//! |---|---|---|---|
//! | `<prefix>:{<event_id>}:seats:epoch` | string | names this projection; without it there is none | a day unused |
//! | `<prefix>:{<event_id>}:seats:taken` | bitmap | bit = ticket's ordinal, set when held or sold | a day unused |
//! | `<prefix>:{<event_id>}:seats:owners` | hash | ordinal → `<booking id or postgres> <ms it was marked>` | a day unused |
//! | `<prefix>:{<event_id>}:seats:deadlines` | sorted set | ordinal by the ms it becomes free by itself | a day unused |
//! | `<prefix>:{<event_id>}:seats:returned` | sorted set | ordinal by the ms it came back, while it is the line's first | a day unused |

use uuid::Uuid;

/// Seconds until the projection of an event nobody buys goes.
pub(super) const IDLE_S: u32 = 86_400;

/// In the order in which the scripts take them.
pub(super) fn of_event(prefix: &str, event_id: Uuid) -> [String; 5] {
    ["epoch", "taken", "owners", "deadlines", "returned"].map(|name| format!("{prefix}:{{{event_id}}}:seats:{name}"))
}
