//! Folders: where data lives, and short-lived ones for sockets.

use std::{
    fs::{File, Permissions, TryLockError},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

const LOCK: &str = "lock";
/// A socket's path has at most 103 bytes on macOS, 107 on Linux; ours adds up to 24 to its folder.
const SOCKET_FOLDER_MAX: usize = 75;

/// Keeps a data folder for one process.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code, reason = "held, not read")] File);

impl Lock {
    /// # Errors
    /// When another process holds `folder`.
    pub(super) fn take(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(LOCK);
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!("{} is in use by another process", folder.display()),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }
}

/// A folder under the system's temporary one with a short path, gone when dropped. One that
/// a killed process left behind is removed by the next that needs one.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: Lock, // the kernel lets go of it when we die, however we die
}

impl Scratch {
    /// Makes `<tmp>/<name>-XXXXXX`, for us alone. `name` should be used for nothing else.
    ///
    /// # Errors
    /// When the temporary folder cannot be written, or its path is too long for sockets.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let parent = temporary_folder()?;
        sweep(&parent, &format!("{name}-"));
        // under another name until it is locked, so that no sweep mistakes it
        let young = tempfile::Builder::new()
            .prefix(&format!(".{name}-"))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)?;
        let lock = Lock::take(young.path())?;
        let name = young.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = parent.join(name.trim_start_matches('.'));
        std::fs::rename(young.path(), &path).with_context(|| path.display().to_string())?;
        let _ = young.keep(); // it has moved: nothing is left to remove there
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "left for the next sweep");
        }
    }
}

fn temporary_folder() -> anyhow::Result<PathBuf> {
    let fits = |path: &Path| path.as_os_str().len() + "/onsale-socket-XXXXXX".len() <= SOCKET_FOLDER_MAX;
    let candidates = [std::env::temp_dir(), PathBuf::from("/tmp")];
    candidates
        .into_iter()
        .find(|path| fits(path) && path.is_dir())
        .context("no temporary folder with a path short enough for sockets: set TMPDIR")
}

/// Removes what dead processes left. Only folders with a lock nobody holds.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "left behind");
        }
    }
}

/// A folder only its owner can enter.
pub(super) fn make_private(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(|| path.display().to_string())
}

/// The absolute path of a data folder, made if it is not there.
pub(super) fn make(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    path.canonicalize().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_left_behind_is_swept_and_a_held_one_is_not() {
        let held = Scratch::new("onsale-sweep-test").unwrap();
        let parent = held.path().parent().unwrap();
        let left = parent.join("onsale-sweep-test-left");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        let other = Scratch::new("onsale-sweep-test").unwrap();
        assert!(held.path().is_dir() && other.path().is_dir());
        assert!(!left.exists());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_data_folder_has_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        assert!(Lock::take(folder.path()).unwrap_err().to_string().contains("in use by another process"));
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
