//! Who runs Postgres: it refuses root, so root runs it as somebody else.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use anyhow::{Context as _, bail};

/// The users tried, in this order, when we are root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    /// The user to switch to; none when we are not root.
    pub(super) fn find() -> anyhow::Result<Option<Self>> {
        if effective_uid() != 0 {
            return Ok(None);
        }
        for name in CANDIDATES {
            if let (Some(uid), Some(gid)) = (id("-u", name)?, id("-g", name)?) {
                return Ok(Some(Self { name, uid, gid }));
            }
        }
        bail!("Postgres refuses to run as root, and there is no user postgres to run it as");
    }

    /// Whether the user can reach `folder`.
    ///
    /// # Errors
    /// Names the first parent that keeps the user out.
    pub(super) fn check_way(&self, folder: &Path) -> anyhow::Result<()> {
        let parents: Vec<_> = folder.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|path| !path.as_os_str().is_empty()) {
            let metadata = std::fs::metadata(parent).with_context(|| parent.display().to_string())?;
            if !self.can_enter(&metadata) {
                bail!(
                    "Postgres runs as user {}, who cannot enter {}: choose another data folder, say /var/tmp/onsale",
                    self.name,
                    parent.display()
                );
            }
        }
        Ok(())
    }

    fn can_enter(&self, folder: &Metadata) -> bool {
        let shift = match () {
            () if folder.uid() == self.uid => 6,
            () if folder.gid() == self.gid => 3,
            () => 0,
        };
        folder.mode() >> shift & 1 == 1
    }

    pub(super) fn own(&self, path: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("giving {} to user {}", path.display(), self.name))
    }
}

fn id(what: &str, user: &str) -> anyhow::Result<Option<u32>> {
    let output = Command::new("id").args([what, user]).output().context("running id")?;
    if !output.status.success() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).trim().parse().context("reading what id says")?))
}

fn effective_uid() -> u32 {
    #[allow(unsafe_code, reason = "geteuid takes nothing, changes nothing, and cannot fail")]
    unsafe {
        libc::geteuid()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_closed_parent_is_named() {
        let Some(owner) = Owner::find().unwrap() else { return }; // only root changes users
        let mode = std::fs::Permissions::from_mode;
        let closed = tempfile::Builder::new().permissions(mode(0o700)).tempdir().unwrap();
        let data = closed.path().join("data");
        let error = owner.check_way(&data).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot enter {}", closed.path().display())), "{error}");
        std::fs::set_permissions(closed.path(), mode(0o711)).unwrap();
        owner.check_way(&data).unwrap();
    }
}
