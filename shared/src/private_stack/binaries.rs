//! Finds the servers' programs on this machine.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::bail;

/// Where Postgres's `initdb` and `postgres` are: `$PGBIN`, then `PATH`, then where
/// Debian, Red Hat and Homebrew keep them, newest version first.
pub(super) fn postgres() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("PGBIN").map(PathBuf::from);
    if let Some(folder) = &given
        && !has_postgres(folder)
    {
        bail!("PGBIN is {}, which holds no initdb and postgres", folder.display());
    }
    let known = [
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
    ];
    let found = given
        .into_iter()
        .chain(path_folders())
        .chain(known.iter().flat_map(|pattern| newest_first(pattern)))
        .find(|folder| has_postgres(folder));
    found.map_or_else(
        || bail!("PostgreSQL's server (initdb, postgres) is not installed: run scripts/setup, or install the package postgresql, or set PGBIN"),
        Ok,
    )
}

/// Where `redis-server` is: `$REDIS_SERVER`, then `PATH`, then Homebrew; Valkey will do.
pub(super) fn redis() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("REDIS_SERVER") {
        let path = PathBuf::from(&given);
        let found = if path.components().count() > 1 { path.is_file().then_some(path) } else { in_path(&given) };
        return found.map_or_else(|| bail!("REDIS_SERVER is {}, which is no program", given.display()), Ok);
    }
    let folders = || path_folders().chain(["/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    ["redis-server", "valkey-server"]
        .iter()
        .find_map(|name| folders().map(|folder| folder.join(name)).find(|path| path.is_file()))
        .map_or_else(
            || bail!("no redis-server or valkey-server is installed: run scripts/setup, or install the package redis-server, or set REDIS_SERVER"),
            Ok,
        )
}

fn has_postgres(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn in_path(name: &OsString) -> Option<PathBuf> {
    path_folders().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The folders a pattern with one `*` names, by the version in its place.
fn newest_first(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return Vec::new() };
    let (parent, stem) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(stem)?.split('.').next()?.parse().ok()?;
            Some((version, entry.path().join(after.trim_start_matches('/'))))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "10", "other"] {
            std::fs::create_dir_all(root.path().join(format!("pg-{version}/bin"))).unwrap();
        }
        let found = newest_first(&format!("{}/pg-*/bin", root.path().display()));
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(root.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["pg-15/bin", "pg-10/bin", "pg-9/bin"]);
    }
}
