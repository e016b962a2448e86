//! A wire between the program and a store, as socket files: it passes bytes on, until a test cuts it, stops it, or has
//! it lose what Postgres says to a commit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Every connection is cut, and every new one.
    Cut,
    /// Nothing gets through, and nobody is told.
    Stall,
    /// Of so many commits that Postgres acknowledges, one acknowledgement is lost with its connection.
    LoseAcks {
        every: u64,
    },
}

pub(crate) struct Wire {
    dir: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    mode: watch::Sender<Mode>,
    target: Mutex<PathBuf>,
    /// Commits acknowledged, and acknowledgements lost.
    commits: AtomicU64,
    lost: AtomicU64,
    is_postgres: bool,
}

impl Wire {
    /// To the Redis at this URL.
    pub(crate) fn to_redis(url: &str) -> Self {
        Self::start(redis_socket(url), "redis", false)
    }

    /// To the Postgres at this URL.
    pub(crate) fn to_postgres(url: &str) -> Self {
        Self::start(postgres_socket(url), ".s.PGSQL.5432", true)
    }

    fn start(target: PathBuf, name: &str, is_postgres: bool) -> Self {
        let dir = super::folder();
        let listener = UnixListener::bind(dir.path().join(name)).expect("a socket");
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Pass),
            target: Mutex::new(target),
            commits: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            is_postgres,
        });
        let accepting = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, accepting.clone()));
            }
        });
        Self { dir, shared }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// The store has come back elsewhere.
    pub(crate) fn lead_to_postgres(&self, url: &str) {
        *self.shared.target.lock().expect("not poisoned") = postgres_socket(url);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn redis_url(&self) -> String {
        format!("redis+unix://{}/redis", self.dir.path().display())
    }

    /// `direct` by way of this wire.
    pub(crate) fn postgres_url(&self, direct: &str) -> String {
        direct.replace(&parameter(direct, "host"), &self.dir.path().display().to_string())
    }
}

fn redis_socket(url: &str) -> PathBuf {
    let path = url.strip_prefix("redis+unix://").expect("these tests want Redis on a socket file");
    PathBuf::from(path.split('?').next().unwrap_or(path))
}

fn postgres_socket(url: &str) -> PathBuf {
    Path::new(&parameter(url, "host")).join(".s.PGSQL.5432")
}

fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').expect("these tests want Postgres on a socket file");
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).expect("the socket's folder").1.to_owned()
}

async fn carry(client: UnixStream, wire: Arc<Shared>) {
    let mode = wire.mode.subscribe();
    if *mode.borrow() == Mode::Cut {
        return;
    }
    let target = wire.target.lock().expect("not poisoned").clone();
    let Ok(store) = UnixStream::connect(target).await else { return };
    let ((from_client, to_client), (from_store, to_store)) = (client.into_split(), store.into_split());
    let acks = wire.is_postgres.then(|| Acks::new(wire.clone()));
    // whichever ends first ends both: the halves are dropped, and so is the connection
    tokio::select! {
        () = pump(from_client, to_store, mode.clone(), None) => {}
        () = pump(from_store, to_client, mode, acks) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, acks: Option<Acks>) {
    let (mut acks, mut buffer) = (acks, vec![0; 16 * 1024]);
    loop {
        let now = *mode.borrow_and_update();
        let read = match now {
            Mode::Cut => return,
            Mode::Stall => {
                if mode.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Mode::Pass | Mode::LoseAcks { .. } => tokio::select! {
                read = from.read(&mut buffer) => read,
                changed = mode.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            },
        };
        let Ok(count @ 1..) = read else { return };
        let bytes = match &mut acks {
            None => buffer[..count].to_vec(),
            Some(acks) => match acks.take(&buffer[..count], now) {
                Some(bytes) => bytes,
                None => return,
            },
        };
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reads along what Postgres says, message by message, and holds back what follows a write until it is known whether
/// that was a commit.
/// <https://www.postgresql.org/docs/15/protocol-message-formats.html>
struct Acks {
    wire: Arc<Shared>,
    /// The answer to the wish for TLS, a letter alone, is behind us.
    begun: bool,
    /// A message that is not complete yet.
    partial: Vec<u8>,
    held: Vec<u8>,
    wrote: bool,
}

impl Acks {
    fn new(wire: Arc<Shared>) -> Self {
        Self { wire, begun: false, partial: Vec::new(), held: Vec::new(), wrote: false }
    }

    /// What may go on; `None` when the connection is to be cut.
    fn take(&mut self, bytes: &[u8], mode: Mode) -> Option<Vec<u8>> {
        if !std::mem::replace(&mut self.begun, true) && matches!(bytes, b"N" | b"S") {
            return Some(bytes.to_vec());
        }
        self.partial.extend_from_slice(bytes);
        let mut on = Vec::new();
        while let Some(message) = self.next_message() {
            let (kind, body) = (message[0], &message[5..]);
            self.wrote |= kind == b'C' && is_write(body);
            if kind == b'Z' && std::mem::take(&mut self.wrote) && body == b"I" && self.is_lost(mode) {
                return None;
            }
            self.held.extend_from_slice(&message);
            if !self.wrote {
                on.append(&mut self.held);
            }
        }
        Some(on)
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let length = self.partial.get(1..5)?.try_into().map(u32::from_be_bytes).ok()?;
        let whole = 1 + usize::try_from(length).ok()?;
        (self.partial.len() >= whole).then(|| self.partial.drain(..whole).collect())
    }

    fn is_lost(&self, mode: Mode) -> bool {
        let Mode::LoseAcks { every } = mode else { return false };
        let lost = self.wire.commits.fetch_add(1, Ordering::Relaxed) % every == every - 1;
        self.wire.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        lost
    }
}

/// `COMMIT`, or a statement that changed rows, as in `UPDATE 3` and `INSERT 0 1`.
fn is_write(tag: &[u8]) -> bool {
    let tag = String::from_utf8_lossy(tag);
    let tag = tag.trim_end_matches('\0');
    let changed = !tag.ends_with(" 0") && ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| tag.starts_with(verb));
    tag == "COMMIT" || changed
}
