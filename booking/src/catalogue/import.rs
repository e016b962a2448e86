//! Import of schema.org `Event` JSON, one a line.
//!
//! Lines are parsed one by one and stored by the batch: a bad line is reported with its
//! number and reason and the rest go on; each batch is one transaction of a few set-based
//! statements. `identifier` is the key. The fingerprint of a line's meaning decides
//! whether it changes anything, so the same file again writes nothing.

mod line;
mod lines;
mod schema_org;
mod store;

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgPool;
use tokio::io::AsyncBufRead;

use line::Record;
use lines::{Line, Lines};

/// Bytes in one line; the longest real one is under ten thousand.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Events stored in one transaction.
pub const BATCH_EVENTS: usize = 2_000;
/// Bad lines listed with their reason; further ones are only counted.
pub const REJECTED_LISTED_MAX: usize = 10_000;

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub lines: u64,
    pub bytes: u64,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// New events.
    pub imported: u64,
    /// Known events that say something else now.
    pub changed: u64,
    /// Known events that said the same before.
    pub unchanged: u64,
    /// The first [`REJECTED_LISTED_MAX`] bad lines.
    pub rejected: Vec<Rejected>,
    /// Bad lines beyond those.
    pub rejected_unlisted: u64,
    /// The index holds this import as soon as `search.through() >= through_xid`.
    pub through_xid: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// From 1.
    pub line: u64,
    pub reason: String,
}

/// The import stopped. Batches stored before it did stay; importing again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the input could not be read")]
    Read(#[from] std::io::Error),
    #[error("the events could not be stored")]
    Database(#[from] sqlx::Error),
}

/// Imports every line of `reader`.
pub async fn import(
    pool: &PgPool,
    reader: impl AsyncBufRead + Unpin,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    let mut report = ImportReport::default();
    import_reporting(pool, reader, &mut report, progress).await?;
    Ok(report)
}

/// The same for a caller who wants to tell what was done even when the import stops.
pub async fn import_reporting(
    pool: &PgPool,
    reader: impl AsyncBufRead + Unpin,
    report: &mut ImportReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImportError> {
    let mut lines = Lines::new(reader, LINE_BYTES_MAX);
    let mut seen = Seen::default();
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    let mut analyzed = 0;
    while let Some((number, line)) = lines.next().await? {
        match line {
            Line::Blank => {}
            Line::TooLong => report.reject(number, format!("longer than {LINE_BYTES_MAX} bytes")),
            Line::Text(bytes) => match line::parse(bytes).and_then(|record| seen.check(record, number)) {
                Ok(Some(record)) => batch.push(record),
                Ok(None) => report.unchanged += 1,
                Err(reason) => report.reject(number, reason),
            },
        }
        if batch.len() == BATCH_EVENTS {
            flush(pool, &mut batch, report).await?;
            // each time as many have come again
            if report.imported > 2 * analyzed {
                store::analyze(pool).await?;
                analyzed = report.imported;
            }
            progress(lines.progress());
        }
    }
    flush(pool, &mut batch, report).await?;
    report.through_xid = store::next_xid(pool).await?;
    progress(lines.progress());
    Ok(())
}

async fn flush(pool: &PgPool, batch: &mut Vec<Record>, report: &mut ImportReport) -> sqlx::Result<()> {
    let total = batch.len() as u64;
    let stored = store::store(pool, std::mem::take(batch)).await?;
    report.imported += stored.inserted;
    report.changed += stored.updated;
    report.unchanged += total - stored.inserted - stored.updated;
    Ok(())
}

impl ImportReport {
    /// Bad lines in all.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.len() as u64 + self.rejected_unlisted
    }

    fn reject(&mut self, line: u64, reason: String) {
        if self.rejected.len() < REJECTED_LISTED_MAX {
            self.rejected.push(Rejected { line, reason });
        } else {
            self.rejected_unlisted += 1;
        }
    }
}

/// Identifiers met in this import, by hash: two lines that contradict each other under one
/// identifier would change the event back and forth at every import.
#[derive(Default)]
struct Seen(HashMap<[u8; 16], (u64, [u8; 32])>);

impl Seen {
    /// The record if it is the first of its identifier, nothing if it repeats an earlier line.
    fn check(&mut self, record: Record, number: u64) -> Result<Option<Record>, String> {
        let digest = shared::encoding::sha256(&[record.identifier.as_bytes()]);
        let (key, _) = digest.split_first_chunk::<16>().expect("32 bytes have 16");
        match self.0.get(key) {
            None => {
                self.0.insert(*key, (number, record.fingerprint));
                Ok(Some(record))
            }
            Some((_, fingerprint)) if *fingerprint == record.fingerprint => Ok(None),
            Some((first, _)) => {
                Err(format!("identifier {:?} says something else than on line {first}", record.identifier))
            }
        }
    }
}
