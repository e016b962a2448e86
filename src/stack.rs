//! `DIR/stack.json`: where a running stack can be reached. Written once it is ready, removed at its end.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::data_dir::{self, write_private};
use crate::failure::Failure;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stack {
    /// The public origin.
    pub(crate) url: String,
    /// Health, metrics and the index's progress.
    pub(crate) private_url: String,
    pub(crate) redis_url: String,
    pub(crate) database_url: String,
    /// The payment provider's API, when it is the stack's own sandbox.
    pub(crate) provider_url: Option<String>,
    pub(crate) provider_key: Option<String>,
    /// The file in which that sandbox writes down what it does.
    pub(crate) provider_ledger: Option<PathBuf>,
    pub(crate) pid: u32,
}

/// The file, removed when this value goes.
#[derive(Debug)]
pub(crate) struct StackFile(PathBuf);

impl Stack {
    pub(crate) fn write(&self, data_dir: &Path) -> anyhow::Result<StackFile> {
        let path = path(data_dir);
        write_private(&path, &format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(StackFile(path))
    }

    /// The stack that runs in `data_dir`. A file left by a stack that was killed counts as none.
    pub(crate) fn find(data_dir: &Path) -> Result<Self, Failure> {
        let path = path(data_dir);
        if !path.exists() {
            return Err(Failure::no_stack(format!(
                "{} is not there; start one with `onsale up --data-dir {}`, or give DATABASE_URL and REDIS_URL",
                path.display(),
                data_dir.display()
            )));
        }
        if !data_dir::is_held(data_dir) {
            return Err(Failure::no_stack(format!("{} is left over from a stack that ended", path.display())));
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?)
    }
}

impl Drop for StackFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "cannot remove");
        }
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("stack.json")
}
