//! `onsale import FILE…`: schema.org events, one JSON object a line. Returns once fans can find them.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use booking::catalogue::import::{self, ImportReport};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;
use tokio::io::BufReader;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

/// How long the running index may take to catch up with what was imported.
const INDEX_WITHIN: Duration = Duration::from_secs(60);
const INDEX_EVERY: Duration = Duration::from_millis(50);
/// How many rejected lines are shown in words; with `--json` all of them are.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files of events; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where a booking process answers /index, to wait for; the running stack's otherwise
    #[arg(long, value_name = "URL")]
    private_url: Option<String>,
}

#[derive(Debug)]
struct Rejected {
    file: String,
    line: u64,
    reason: String,
}

/// What all files together came to.
#[derive(Debug, Default)]
struct Total {
    imported: u64,
    changed: u64,
    unchanged: u64,
    through_xid: u64,
    rejected: Vec<Rejected>,
    /// Beyond what a report lists.
    unlisted: u64,
}

/// One of the files, open.
struct Input {
    name: String,
    file: File,
    /// `None` for what has no end to reckon with.
    bytes: Option<u64>,
}

pub(crate) async fn run(import: Import, globals: &Globals) -> Result<(), Failure> {
    let target = Target::database(globals)?;
    // all of them before the first is read: a wrong name costs nothing then
    let inputs = import.files.iter().map(|file| Input::open(file)).collect::<Result<Vec<_>, _>>()?;
    let pool = target.pool().await?;
    let mut total = Total::default();
    let mut ended = Ok(());
    for input in inputs {
        ended = read(&pool, input, &mut total).await;
        if ended.is_err() {
            break;
        }
    }
    if let (Ok(()), Some(private_url)) = (&ended, import.private_url.as_ref().or(target.private_url.as_ref())) {
        ended = until_indexed(private_url, total.through_xid).await;
    }
    total.say(globals.json, ended)
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if name == "-" {
            // read as a file, so that one without an end does not keep the process from ending
            let file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
            return Ok(Self { name, file, bytes: None });
        }
        let cannot = || format!("cannot read {name}");
        let file = File::open(path).with_context(cannot)?;
        let facts = file.metadata().with_context(cannot)?;
        if facts.is_dir() {
            return Err(anyhow!("it is a folder").context(cannot()).into());
        }
        Ok(Self { bytes: facts.is_file().then_some(facts.len()), name, file })
    }
}

/// One file, with a bar on standard error where that is a terminal. What went in counts even if it breaks off.
async fn read(pool: &PgPool, input: Input, total: &mut Total) -> Result<(), Failure> {
    let bar = bar(input.bytes);
    let reader = BufReader::new(tokio::fs::File::from_std(input.file));
    let mut report = ImportReport::default();
    let ended = import::import_reporting(pool, reader, &mut report, &mut |progress| {
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} events", progress.lines));
    })
    .await;
    bar.finish_and_clear();
    total.add(&input.name, report);
    Ok(ended.with_context(|| input.name)?)
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {percent:>3} %  {msg}  {elapsed}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[derive(Debug, Deserialize)]
struct Index {
    through: u64,
}

/// Waits until the running index holds everything below `xid`.
async fn until_indexed(private_url: &str, xid: u64) -> Result<(), Failure> {
    let url = format!("{private_url}/index");
    let client = reqwest::Client::builder().timeout(INDEX_WITHIN).build()?;
    let caught_up = async {
        loop {
            let index: Index = client.get(&url).send().await?.error_for_status()?.json().await?;
            if index.through >= xid {
                return Ok::<_, anyhow::Error>(());
            }
            tokio::time::sleep(INDEX_EVERY).await;
        }
    };
    match tokio::time::timeout(INDEX_WITHIN, caught_up).await {
        Ok(outcome) => Ok(outcome.context("imported, but the running index does not answer")?),
        Err(_) => Err(Failure::refused(
            "index-behind",
            "Imported, but not yet to be found",
            format!("the running index did not catch up within {} s", INDEX_WITHIN.as_secs()),
        )),
    }
}

impl Total {
    fn add(&mut self, file: &str, report: ImportReport) {
        self.imported += report.imported;
        self.changed += report.changed;
        self.unchanged += report.unchanged;
        self.through_xid = self.through_xid.max(report.through_xid);
        self.unlisted += report.rejected_unlisted;
        self.rejected.extend(report.rejected.into_iter().map(|rejected| Rejected {
            file: file.to_owned(),
            line: rejected.line,
            reason: rejected.reason,
        }));
    }

    /// What went in, and all that went wrong: the good lines are in, any bad one still makes the command fail.
    fn say(self, as_json: bool, ended: Result<(), Failure>) -> Result<(), Failure> {
        let rejected: Vec<_> = self
            .rejected
            .iter()
            .map(|rejected| json!({ "file": rejected.file, "line": rejected.line, "reason": rejected.reason }))
            .collect();
        let summary = json!({
            "imported": self.imported,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "rejected": self.rejected_total(),
        });
        output::say(as_json, &summary, || {
            format!(
                "{} imported, {} changed, {} unchanged, {} rejected",
                self.imported,
                self.changed,
                self.unchanged,
                self.rejected_total()
            )
        })?;
        match ended {
            Ok(()) if self.rejected.is_empty() => Ok(()),
            Ok(()) => Err(Failure::refused("import", "Lines were rejected", self.reasons()).with("rejected", rejected)),
            Err(failure) if self.rejected.is_empty() => Err(failure),
            Err(failure) => Err(failure.and(&format!("rejected lines: {}", self.reasons())).with("rejected", rejected)),
        }
    }

    fn reasons(&self) -> String {
        let total = self.rejected_total();
        let mut text = format!("{total} of them");
        for rejected in self.rejected.iter().take(SHOWN_MAX) {
            text.push_str(&format!("\n  {}:{}: {}", rejected.file, rejected.line, rejected.reason));
        }
        let shown = self.rejected.len().min(SHOWN_MAX) as u64;
        if total > shown {
            text.push_str(&format!("\n  … and {} more (--json lists them)", total - shown));
        }
        text
    }

    fn rejected_total(&self) -> u64 {
        self.rejected.len() as u64 + self.unlisted
    }
}
