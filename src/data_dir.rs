//! The folder a stack lives in: its lock, its secrets, its servers' data.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::failure::Failure;

/// How often, and how far apart, a start tries to get the lock: a tool may hold it for a moment.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A data directory that this process alone runs a stack in, for as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder when missing and locks it. A second stack in the same folder is refused.
    pub(crate) async fn lock(path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        let lock = open_lock(&path)?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(Failure::refused(
            "data-dir-in-use",
            "Another stack runs here",
            format!("{} is in use by another `onsale up`; stop it, or choose another --data-dir", path.display()),
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Whether a stack holds the folder now. A stack that was killed leaves its files but not its lock.
pub(crate) fn is_held(path: &Path) -> bool {
    let Ok(lock) = File::open(path.join("lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn open_lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join("lock");
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Writes a file only its owner may read, whole or not at all: a reader never sees half of it.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let write = || -> std::io::Result<()> {
        // a draft left by a crash may have other permissions
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn one_stack_a_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(!is_held(dir.path()));
        let held = DataDir::lock(dir.path()).await.expect("the first gets it");
        assert!(is_held(dir.path()));
        assert!(DataDir::lock(dir.path()).await.is_err());
        drop(held);
        assert!(!is_held(dir.path()));
    }

    #[test]
    fn secrets_are_for_the_owner_only() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("secret");
        write_private(&path, "a").expect("written");
        write_private(&path, "b").expect("replaced");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "b");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
