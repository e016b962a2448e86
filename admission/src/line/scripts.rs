//! The scripts, built once. Each is one file; what they share is put before it.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("scripts/prelude.lua"), "\n", include_str!($file))));
    };
}

script!(JOIN, "scripts/join.lua");
script!(LOOK, "scripts/look.lua");
script!(CLAIM, "scripts/claim.lua");
script!(MOVE, "scripts/move.lua");
script!(KEEP_MOVES, "scripts/keep_moves.lua");
script!(MAIL, "scripts/mail.lua");
script!(MAILS, "scripts/mails.lua");
script!(RELEASE, "scripts/release.lua");
script!(END_PLACE, "scripts/end_place.lua");
script!(DRAW, "scripts/draw.lua");
script!(FREEZE, "scripts/freeze.lua");
script!(WATCH, "scripts/watch.lua");
script!(MARKS, "scripts/marks.lua");
script!(RESTORE_ENDED, "scripts/restore_ended.lua");
script!(RESTORE_GRANTED, "scripts/restore_granted.lua");
script!(CONTROL, "scripts/control.lua");
