//! The real booking process is ended at every named point of the money path, as a power cut would end it, and started
//! again: whatever it left half done is finished or undone by itself, and the judge finds nothing.
//!
//! Everything else goes on running. `cargo test --features failpoints --test it crash -- --nocapture` prints the table
//! of docs/crash-points.md.

mod case;
mod found;
mod path;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path as FsPath;
use std::sync::Mutex;

use self::case::{Case, Row, Stage};
use self::path::{End, Path};

/// Where the process ends, what was going on, and what must come of it.
#[rustfmt::skip]
const CASES: [(&str, Path, End); 37] = [
    // nobody comes back, and what is lost at the provider is found by the reconciler after a minute: first, as it takes longest
    ("intent.made",         Path::CheckOutAndLeave, End::Free),
    ("reserve.committed",   Path::CheckOutAndLeave, End::Free),
    ("checkout.answered",   Path::CheckOutAndLeave, End::Free),
    // the fan comes back under the same key
    ("checkout.chosen",     Path::CheckOut,         End::Bought),
    ("reserve.locked",      Path::CheckOut,         End::Bought),
    ("reserve.deciding",    Path::CheckOut,         End::Bought),
    ("reserve.committed",   Path::CheckOut,         End::Bought),
    ("checkout.reserved",   Path::CheckOut,         End::Bought),
    ("intent.asked",        Path::CheckOut,         End::Bought),
    ("intent.made",         Path::CheckOut,         End::Bought),
    ("intent.stored",       Path::CheckOut,         End::Bought),
    ("checkout.answering",  Path::CheckOut,         End::Bought),
    ("checkout.answered",   Path::CheckOut,         End::Bought),
    ("confirm.authorising", Path::Pay,              End::Bought),
    ("confirm.authorised",  Path::Pay,              End::Bought),
    ("settle.fetched",      Path::Pay,              End::Bought),
    ("sell.deciding",       Path::Pay,              End::Bought),
    ("sell.committed",      Path::Pay,              End::Bought),
    ("capture.asked",       Path::Pay,              End::Bought),
    ("capture.made",        Path::Pay,              End::Bought),
    ("capture.stored",      Path::Pay,              End::Bought),
    ("place.ended",         Path::Pay,              End::Bought),
    ("mail.sent",           Path::Pay,              End::Bought),
    // paid in the browser, which was closed at once
    ("webhook.heard",       Path::PayAndLeave,      End::Bought),
    ("webhook.settled",     Path::PayAndLeave,      End::Bought),
    ("sell.committed",      Path::PayAndLeave,      End::Bought),
    ("capture.made",        Path::PayAndLeave,      End::Bought),
    // never paid
    ("expiry.marked",       Path::Expire,           End::Free),
    ("expiry.cancelled",    Path::Expire,           End::Free),
    ("release.deciding",    Path::Expire,           End::Free),
    ("release.committed",   Path::GiveUp,           End::Free),
    // the provider cannot be asked when the time is up
    ("void.asked",          Path::Unreachable,      End::Free),
    ("void.made",           Path::Unreachable,      End::Free),
    ("regain.deciding",     Path::PayLate,          End::Bought),
    // sold, and given back by an operator
    ("refund.decided",      Path::Refund,           End::Free),
    ("refund.made",         Path::Refund,           End::Free),
    ("void.made",           Path::Refund,           End::Free),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_power_cut_tears_apart_is_settled() {
    let chosen = std::env::var("ONSALE_CRASH_POINTS").unwrap_or_default();
    let is_chosen = |point: &str| chosen.is_empty() || chosen.split(',').any(|name| name == point);
    let cases = CASES.iter().enumerate().filter(|(_, (point, ..))| is_chosen(point));
    let cases = cases.map(|(number, &(point, path, end))| Case { number, point, path, end });
    let cases: Mutex<VecDeque<Case>> = Mutex::new(cases.collect());
    let lane = || Box::pin(lane(&cases));
    let (one, two, three, four) = tokio::join!(lane(), lane(), lane(), lane());
    let mut rows = [one, two, three, four].concat();
    rows.sort_by_key(|row| row.number);
    println!("| crash point | path | found at the restart | how it ended | after |\n|---|---|---|---|---|");
    for row in &rows {
        println!("{}", row.line);
    }
    let failed: Vec<&str> = rows.iter().filter_map(|row| row.failure.as_deref()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// A point that no case ends at is found here.
#[test]
fn the_table_names_every_point_there_is() {
    let named: BTreeSet<String> = CASES.iter().map(|(point, ..)| (*point).to_owned()).collect();
    let mut there = BTreeSet::new();
    let mut folders = vec![FsPath::new(env!("CARGO_MANIFEST_DIR")).join("booking/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry).expect("text");
                let points = text.split("crash::point(\"").skip(1);
                there.extend(points.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
    assert_eq!(named, there);
}

/// One shop, case after case. Four work on the table side by side: most of a case is waiting.
async fn lane(cases: &Mutex<VecDeque<Case>>) -> Vec<Row> {
    let mut stage = Stage::set().await;
    let mut rows = Vec::new();
    loop {
        let next = cases.lock().expect("not poisoned").pop_front();
        let Some(case) = next else { return rows };
        rows.push(stage.play(&case).await);
    }
}
