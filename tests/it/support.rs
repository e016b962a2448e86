//! Processes that end with their test, stacks, and the roles behind a proxy.

pub(crate) mod buyer;
pub(crate) mod fan;
pub(crate) mod nginx;
pub(crate) mod process;
pub(crate) mod roles;
pub(crate) mod shop;
pub(crate) mod stack;
pub(crate) mod wire;

use std::os::unix::fs::PermissionsExt as _;

use jiff::tz::TimeZone;
use shared::clock::Clock;
use tempfile::TempDir;

/// A day of next year, `month_and_day` as in `03-12`: never over, whenever the tests run.
pub(crate) fn next_year(month_and_day: &str) -> String {
    let year = Clock::system().now().to_zoned(TimeZone::UTC).year();
    format!("{}-{month_and_day}", year + 1)
}

/// A folder that other users may enter: Postgres and nginx run as users of their own when we are root.
pub(crate) fn folder() -> TempDir {
    let dir = tempfile::Builder::new().prefix("onsale-it.").tempdir().expect("a temporary folder");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
    dir
}
