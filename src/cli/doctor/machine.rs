//! What this machine offers: programs and limits.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;
use crate::open_files;

/// A fan takes one open file, and more on a machine that also runs the proxy.
const OPEN_FILES_WANTED: u64 = 20_000;
/// The listen backlog our server asks for.
const BACKLOG_WANTED: u64 = 4096;

pub(super) fn look() -> Vec<Finding> {
    let mut findings = vec![postgres_programs(), redis_program(), files()];
    findings.extend(backlog());
    findings
}

fn postgres_programs() -> Finding {
    match postgres_bin() {
        Some(bin) => Finding::ok("postgres programs", version(&bin.join("postgres"))),
        None => Finding::warn(
            "postgres programs",
            "initdb and postgres were not found",
            "run scripts/setup.sh, or set PGBIN to their folder; not needed with DATABASE_URL",
        ),
    }
}

fn redis_program() -> Finding {
    let named = std::env::var_os("REDIS_SERVER").map(PathBuf::from);
    let found = named.or_else(|| on_path("redis-server")).or_else(|| on_path("valkey-server"));
    match found {
        Some(program) => Finding::ok("redis program", version(&program)),
        None => Finding::warn(
            "redis program",
            "neither redis-server nor valkey-server was found",
            "run scripts/setup.sh, or set REDIS_SERVER to the program; not needed with REDIS_URL",
        ),
    }
}

fn files() -> Finding {
    match open_files::limit() {
        Some(limit) if limit >= OPEN_FILES_WANTED => Finding::ok("open files", format!("{limit} a process")),
        Some(limit) => Finding::warn(
            "open files",
            format!("{limit} a process: about as many fans, and no more"),
            "raise the hard limit (systemd: LimitNOFILE=, containers: ulimits.nofile)",
        ),
        None => Finding::warn("open files", "the system does not say", "see `ulimit -n`"),
    }
}

/// Linux only: elsewhere there is nothing to read.
fn backlog() -> Option<Finding> {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    let limit: u64 = text.trim().parse().ok()?;
    Some(if limit >= BACKLOG_WANTED {
        Finding::ok("somaxconn", limit.to_string())
    } else {
        Finding::warn(
            "somaxconn",
            format!("{limit}: connections of a rush are dropped before the server sees them"),
            format!("sysctl -w net.core.somaxconn={BACKLOG_WANTED}"),
        )
    })
}

/// The same order in which a private stack looks.
fn postgres_bin() -> Option<PathBuf> {
    let named = std::env::var_os("PGBIN").map(PathBuf::from);
    let path = on_path("initdb").and_then(|program| program.parent().map(Path::to_owned));
    named.into_iter().chain(path).chain(packaged()).find(|bin| bin.join("initdb").exists())
}

fn packaged() -> Vec<PathBuf> {
    let mut bins = Vec::new();
    for root in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = std::fs::read_dir(root) else { continue };
        bins.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    bins.sort();
    bins.reverse();
    bins
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn version(program: &Path) -> String {
    let name = program.display();
    match Command::new(program).arg("--version").output() {
        Ok(output) => format!("{} ({name})", String::from_utf8_lossy(&output.stdout).trim()),
        Err(error) => format!("{name} does not run: {error}"),
    }
}
