//! Every Redis key of a drop's line, with its shape. All carry the hash tag `{drop}`, so that a
//! script may touch them together on a cluster. Nothing here expires by itself; a
//! day after its end the keeper removes a drop's line, all but the control, which says that it ended, and `face` and `entrants`: a draw
//! can be checked as long as somebody has a pass.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `control` | hash | settings, epoch, last key, pause, totals, stock |
//! | `lobby` | zset | place → when it came (µs); drained by the draw |
//! | `waiting` | zset | place → order key |
//! | `called` | zset | place → claim deadline (drop time, µs); past it, the place has lapsed |
//! | `claims` | zset | place → order key; claims that wait for the bucket |
//! | `active` | zset | place → session deadline (drop time, µs) |
//! | `ended` | zset | place → sequence number of its end |
//! | `bucket` | hash | units (1/60,000,000 token), at (µs), idle |
//! | `records` | hash | place → what is known since its call (see prelude.lua) |
//! | `changes` | stream | what waitrooms tell their fans; capped at 100,000 |
//! | `accounts` | hash | account → place, where a drop lets an account join once |
//! | `grants` | zset | place → number of its grant; what the keeper has to write down |
//! | `moves` | hash | place → `generation:visitor hash` of who holds a moved place; `@place` of the holder's own → the moved one; `#number` → `place:generation:own place:visitor hash`, a move still to be written down |
//! | `codes` | hash | code that moves a place → `place:generation:until:account` (µs); `@place` → its code |
//! | `mails` | hash | place → sealed address to write to when it is called |
//! | `face` | hash | `draw`, `brand` (JSON), read with the pivots; `logo`, `logo_type` |
//! | `entrants` | string | the frozen list of the draw: places of 16 bytes, ascending; `entrants:…` one that is being written, for ten minutes at most |

use crate::ids::DropId;

/// In the order of `KEYS` in prelude.lua.
const NAMES: [&str; 17] = [
    "control", "lobby", "waiting", "called", "claims", "active", "ended", "bucket", "records", "changes", "accounts",
    "grants", "moves", "codes", "mails", "face", "entrants",
];

pub(super) fn all(prefix: &str, drop: &DropId) -> [String; NAMES.len()] {
    NAMES.map(|name| one(prefix, drop, name))
}

pub(super) fn one(prefix: &str, drop: &DropId, name: &str) -> String {
    format!("{prefix}:{{{drop}}}:{name}")
}
