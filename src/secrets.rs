//! The keys a private stack makes for itself, once, in `DIR/secrets.toml`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use shared::encoding;

use crate::data_dir::{DataDir, write_private};

/// The file's shape; `keys.file` may name a file of one's own in the same shape.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// Newest first, 32 bytes each in base64url: everything signed or sealed derives from them.
    pub(crate) master_keys: Vec<SecretString>,
    /// 32 bytes in base64url: look-ups of encrypted fields derive from it; it cannot be rotated.
    pub(crate) index_key: SecretString,
    /// What the stand-in of the payment provider and booking share.
    #[serde(default)]
    pub(crate) sandbox: Option<SandboxSecrets>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxSecrets {
    pub(crate) secret_key: SecretString,
    pub(crate) publishable_key: String,
    pub(crate) webhook_secret: SecretString,
}

impl Secrets {
    /// Reads a file of keys.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        shared::settings::load_file(path).with_context(|| format!("cannot read the keys in {}", path.display()))
    }

    /// Where a private stack keeps its keys.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("secrets.toml")
    }

    /// The data directory's keys, made on the first start. Losing the file loses every pass, session and
    /// sealed field, so it is never overwritten.
    pub(crate) fn load_or_create(data_dir: &DataDir) -> anyhow::Result<Self> {
        let path = Self::path(data_dir.path());
        if !path.exists() {
            write_private(&path, &fresh())?;
        }
        Self::read(&path)
    }
}

impl SandboxSecrets {
    /// By the names they have both as settings of `booking.stripe` and of `sandbox`.
    pub(crate) fn keys(&self) -> [(&'static str, &str); 3] {
        [
            ("secret_key", self.secret_key.expose_secret()),
            ("publishable_key", &self.publishable_key),
            ("webhook_secret", self.webhook_secret.expose_secret()),
        ]
    }
}

fn fresh() -> String {
    let key = || encoding::base64url(&encoding::random::<32>());
    let token = || encoding::hex(&encoding::random::<24>());
    format!(
        "# Made by `onsale up` on its first start. Keep it: passes, sessions and sealed fields need these keys.\n\
         master_keys = [\"{}\"]\nindex_key = \"{}\"\n\n[sandbox]\n\
         secret_key = \"sk_test_{}\"\npublishable_key = \"pk_test_{}\"\nwebhook_secret = \"whsec_{}\"\n",
        key(),
        key(),
        token(),
        token(),
        token(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_made_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let dir = DataDir::lock(dir.path()).await.expect("locked");
        let first = Secrets::load_or_create(&dir).expect("made");
        let second = Secrets::load_or_create(&dir).expect("read");
        assert_eq!(first.index_key.expose_secret(), second.index_key.expose_secret());
        shared::keyring::Keyring::parse(&first.master_keys, &first.index_key).expect("good keys");
    }
}
