//! What a command says on standard output: a line for people, or JSON for programs.

use std::io::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::failure::Failure;

/// Prints `value` as one JSON line with `--json`, else the words.
pub(crate) fn say(as_json: bool, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Failure> {
    line(&if as_json { serde_json::to_string(value)? } else { words() })
}

/// One line; whoever closed the pipe (`| head`) has read enough, which is no failure.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A plain table: columns that line up, no boxes to get in the way of `grep`.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n")
}
