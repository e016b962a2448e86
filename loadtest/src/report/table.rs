//! The report for eyes.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::Report;
use crate::judge::{Check, Outcome};

/// Pieces of evidence printed of one check; the JSON has more.
const EVIDENCE_SHOWN: usize = 5;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    let tables = [fans(report), times(report), checks(report)];
    for table in tables {
        // writing to a String cannot fail
        let _ = writeln!(text, "{table}\n");
    }
    for check in report.verdict.checks.iter().filter(|check| check.outcome == Outcome::Broken) {
        let _ = writeln!(text, "{}: {} of {} broken", check.name, check.broken, check.examined);
        for evidence in check.evidence.iter().take(EVIDENCE_SHOWN) {
            let _ = writeln!(text, "  - {evidence}");
        }
    }
    let _ = write!(text, "{}", verdict(report));
    text
}

/// One line that says it all.
fn verdict(report: &Report) -> String {
    let counts = &report.counts;
    format!(
        "The judge is {}: sold {} of {}, in {:.1} s, {:.0} joins a second ({} within {:.1} s)",
        if report.verdict.content { "content" } else { "DISCONTENT" },
        counts.tickets_sold,
        counts.capacity,
        report.setting.took_s,
        report.joins.a_second,
        report.joins.joined,
        report.joins.within_s,
    )
}

fn fans(report: &Report) -> Table {
    let counts = &report.counts;
    let mut table = table(&["fans", "number"]);
    let rows = [
        ("came", report.setting.fans as usize),
        ("joined", counts.joined),
        ("admitted", counts.admitted),
        ("bought", counts.bought),
        ("told sold out", counts.sold_out),
        ("told the drop ended", counts.drop_ended),
        ("went silent", counts.went_silent),
        ("lost", counts.lost + counts.timed_out + counts.absent),
        ("tickets sold", counts.tickets_sold),
        ("capacity", counts.capacity),
        ("bookings completed", counts.bookings_completed),
    ];
    for (name, count) in rows {
        table.add_row([name.to_owned(), count.to_string()]);
    }
    for (currency, minor) in &counts.captured {
        let money = format!("{}.{:02}", minor / 100, minor % 100);
        table.add_row([format!("captured, {currency}"), money]);
    }
    for (reason, times) in &counts.retries {
        table.add_row([format!("tried again: {reason}"), times.to_string()]);
    }
    table
}

fn times(report: &Report) -> Table {
    let mut table = table(&["time, ms", "number", "p50", "p90", "p99", "p99.9", "max"]);
    for row in &report.latencies {
        let times = [row.p50_ms, row.p90_ms, row.p99_ms, row.p999_ms, row.max_ms];
        let mut cells = vec![row.name.clone(), row.count.to_string()];
        cells.extend(times.map(|ms| format!("{ms:.1}")));
        table.add_row(cells);
    }
    table
}

fn checks(report: &Report) -> Table {
    let mut table = table(&["the judge's checks", "looked at", "verdict"]);
    for check in &report.verdict.checks {
        table.add_row([check.name.to_owned(), check.examined.to_string(), outcome(check)]);
    }
    table
}

fn outcome(check: &Check) -> String {
    let word = match check.outcome {
        Outcome::Kept => "kept".to_owned(),
        Outcome::Broken => format!("BROKEN {} times", check.broken),
        Outcome::Skipped => "not judged".to_owned(),
    };
    match &check.note {
        Some(note) => format!("{word} ({note})"),
        None => word,
    }
}

/// A table whose columns but the first are numbers.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
