//! The append-only file: one JSON object a line. An answer leaves only after its line is on disk; requests that wait
//! together share one write and one fsync (group commit), so that a slow disk costs latency, not throughput.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, bail};
use tokio::sync::{mpsc, oneshot};

use super::book::{Book, Entry};

/// Lines written with one fsync.
const BATCH_MAX: usize = 1_024;
/// Requests that may wait for the writer; more wait before they get in line.
const WAITING_MAX: usize = 4_096;

/// The writing end. The writer stops when the last clone is gone.
#[derive(Clone)]
pub(super) struct Ledger {
    sender: mpsc::Sender<Write>,
}

struct Write {
    entry: Entry,
    written: Option<oneshot::Sender<()>>,
}

/// The disk refused, and the process is about to end for it.
#[derive(Debug, thiserror::Error)]
#[error("the ledger cannot be written")]
pub(super) struct LedgerLost;

impl Ledger {
    /// Reads the file into `book`; what is returned beside the ledger has to be run for anything to be written.
    pub(super) fn open(path: &Path, book: &Arc<Mutex<Book>>) -> anyhow::Result<(Self, Writer)> {
        let file = open(path).with_context(|| format!("the sandbox's ledger {}", path.display()))?;
        {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            replay(&file, |entry| book.apply(entry))
                .with_context(|| format!("the sandbox's ledger {}", path.display()))?;
        }
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        Ok((Self { sender }, Writer { file: Arc::new(file), book: book.clone(), receiver }))
    }

    /// Returns once the entry is on disk and in the book.
    pub(super) async fn append(&self, entry: Entry) -> Result<(), LedgerLost> {
        let (sender, written) = oneshot::channel();
        self.sender.send(Write { entry, written: Some(sender) }).await.map_err(|_| LedgerLost)?;
        written.await.map_err(|_| LedgerLost)
    }

    /// Leaves the entry to be written some time, and perhaps lost.
    pub(super) async fn note(&self, entry: Entry) -> Result<(), LedgerLost> {
        self.sender.send(Write { entry, written: None }).await.map_err(|_| LedgerLost)
    }
}

pub(super) struct Writer {
    file: Arc<File>,
    book: Arc<Mutex<Book>>,
    receiver: mpsc::Receiver<Write>,
}

impl Writer {
    /// Runs until nobody can write any more.
    ///
    /// # Errors
    /// When the disk refuses: what was not answered by then never will be.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut batch = Vec::new();
        while self.receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let mut lines = Vec::new();
            for write in &batch {
                serde_json::to_writer(&mut lines, &write.entry)?;
                lines.push(b'\n');
            }
            let must_last = batch.iter().any(|write| !write.entry.is_disposable());
            let file = self.file.clone();
            tokio::task::spawn_blocking(move || {
                (&*file).write_all(&lines)?;
                if must_last { file.sync_data() } else { Ok(()) }
            })
            .await?
            .context("writing the sandbox's ledger")?;
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            for Write { entry, written } in batch.drain(..) {
                book.apply(entry);
                if let Some(written) = written {
                    // whoever asked may be gone; the entry stands all the same
                    let _ = written.send(());
                }
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if file.try_lock().is_err() {
        bail!("another process uses it");
    }
    // the name must survive a power cut as well as the lines
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Hands over every entry. A last line that was cut off by a crash was never answered for: it is cut away.
fn replay(file: &File, mut each: impl FnMut(Entry)) -> anyhow::Result<()> {
    let mut reader = BufReader::new(file);
    let (mut good, mut number, mut line) = (0_u64, 0_u64, Vec::new());
    loop {
        line.clear();
        number += 1;
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let entry = line.strip_suffix(b"\n").map(serde_json::from_slice::<Entry>);
        match entry {
            Some(Ok(entry)) => each(entry),
            unreadable => {
                let cut_off = reader.fill_buf()?.is_empty();
                if !cut_off {
                    bail!("line {number} cannot be read: {:?}", unreadable.and_then(Result::err));
                }
                tracing::warn!(line = number, bytes = read, "the ledger's last line was cut off; dropping it");
                file.set_len(good)?;
                file.sync_all()?;
                return Ok(());
            }
        }
        good += read as u64;
    }
}
