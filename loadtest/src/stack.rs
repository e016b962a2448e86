//! Where the system under load is: `DIR/stack.json`, or the URLs on the command line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Everything a run needs to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub url: String,
    pub database_url: String,
    pub provider_url: String,
    /// The provider's secret key, with which the list of intents is read.
    pub provider_key: String,
    /// Where the sandbox writes down what it does, when it runs on this machine.
    pub provider_ledger: Option<PathBuf>,
}

/// What the command line gives; each wins over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub url: Option<String>,
    pub database_url: Option<String>,
    pub provider_url: Option<String>,
    pub provider_key: Option<String>,
    pub provider_ledger: Option<PathBuf>,
}

/// The running stack cannot be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoStack {
    #[error(
        "no {0}: give --data-dir of a running `onsale up`, or --url, --database-url, \
         --provider-url and --provider-key"
    )]
    Missing(&'static str),
    #[error("no stack runs in {dir}: cannot read {dir}/stack.json")]
    Unreadable { dir: String, source: std::io::Error },
    #[error("{dir}/stack.json is left over from a stack that ended (pid {pid})")]
    Gone { dir: String, pid: u32 },
    #[error("{dir}/stack.json is not what `onsale up` writes")]
    Malformed { dir: String, source: serde_json::Error },
}

/// `stack.json`, as far as it concerns us.
#[derive(Debug, Default, Deserialize)]
struct File {
    url: Option<String>,
    database_url: Option<String>,
    provider_url: Option<String>,
    provider_key: Option<String>,
    provider_ledger: Option<PathBuf>,
    pid: Option<u32>,
}

/// Where to look for it. A stack that is started again writes a new file, so it is looked for twice:
/// before the evening, and before the judgement.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    pub data_dir: PathBuf,
    pub given: Given,
}

impl Whereabouts {
    /// Reads `data_dir/stack.json`, and lets explicit URLs win.
    pub(crate) fn find(&self) -> Result<Stack, NoStack> {
        let given = self.given.clone();
        let complete = given.url.is_some()
            && given.database_url.is_some()
            && given.provider_url.is_some()
            && given.provider_key.is_some();
        let anything = given.url.is_some() || given.database_url.is_some() || given.provider_url.is_some();
        let file = match read(&self.data_dir) {
            _ if complete => File::default(),
            // whoever names URLs is told which one is missing
            Err(NoStack::Unreadable { .. }) if anything => File::default(),
            outcome => outcome?,
        };
        Ok(Stack {
            url: given.url.or(file.url).ok_or(NoStack::Missing("URL"))?,
            database_url: given.database_url.or(file.database_url).ok_or(NoStack::Missing("database URL"))?,
            provider_url: given.provider_url.or(file.provider_url).ok_or(NoStack::Missing("provider URL"))?,
            provider_key: given.provider_key.or(file.provider_key).ok_or(NoStack::Missing("provider key"))?,
            provider_ledger: given.provider_ledger.or(file.provider_ledger),
        })
    }
}

fn read(dir: &Path) -> Result<File, NoStack> {
    let shown = dir.display().to_string();
    let text = std::fs::read_to_string(dir.join("stack.json"))
        .map_err(|source| NoStack::Unreadable { dir: shown.clone(), source })?;
    let file: File = serde_json::from_str(&text).map_err(|source| NoStack::Malformed { dir: shown.clone(), source })?;
    match file.pid {
        Some(pid) if !lives(pid) => Err(NoStack::Gone { dir: shown, pid }),
        _ => Ok(file),
    }
}

/// Whether a process lives, where the system tells it in a folder; taken for granted elsewhere.
fn lives(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"url":"http://a","private_url":"http://p","redis_url":"r","database_url":"postgres:///x",
        "provider_url":"http://b","provider_key":"sk_1","pid":PID}"#;

    fn find(dir: &Path, given: Given) -> Result<Stack, NoStack> {
        Whereabouts { data_dir: dir.to_owned(), given }.find()
    }

    fn write(dir: &Path, pid: u32) {
        let text = FILE.replace("PID", &pid.to_string());
        std::fs::write(dir.join("stack.json"), text).unwrap();
    }

    #[test]
    fn explicit_urls_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), std::process::id());
        let given = Given { url: Some("http://mine".into()), ..Given::default() };
        let stack = find(dir.path(), given).unwrap();
        assert_eq!(stack.url, "http://mine");
        assert_eq!(stack.database_url, "postgres:///x");
        assert_eq!(stack.provider_key, "sk_1");
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(dir.path(), Given::default()).unwrap_err();
        assert!(matches!(error, NoStack::Unreadable { .. }));
        std::fs::write(dir.path().join("stack.json"), "{").unwrap();
        let error = find(dir.path(), Given::default()).unwrap_err();
        assert!(matches!(error, NoStack::Malformed { .. }));
        let given = Given { url: Some("http://mine".into()), ..Given::default() };
        let nowhere = dir.path().join("nowhere");
        let error = find(&nowhere, given).unwrap_err();
        assert!(matches!(error, NoStack::Missing("database URL")));
        if lives(std::process::id()) && !lives(u32::MAX) {
            write(dir.path(), u32::MAX);
            let error = find(dir.path(), Given::default()).unwrap_err();
            assert!(matches!(error, NoStack::Gone { pid: u32::MAX, .. }));
        }
    }
}
