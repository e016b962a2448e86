//! Sockets are open files, and a process has only so many.

use anyhow::ensure;

/// Open files of a fan: one connection for calls, one for the stream.
const FILES_A_FAN: u64 = 2;
/// Open files of everything else: the database, the provider, the terminal, the runtime.
const FILES_BESIDES: u64 = 100;

/// # Errors
/// More fans than this process may have sockets for.
pub(super) fn enough_for(fans: u32) -> anyhow::Result<()> {
    let Some(limit) = limit() else {
        return Ok(()); // unknown here: the first socket too many will say so
    };
    let most = limit.saturating_sub(FILES_BESIDES) / FILES_A_FAN;
    ensure!(
        u64::from(fans) <= most,
        "{fans} fans need {} open files and this process may have {limit}: at most {most} fans, \
         or raise `ulimit -n`, or run several loadtests at once",
        u64::from(fans) * FILES_A_FAN + FILES_BESIDES,
    );
    Ok(())
}

/// The soft limit on open files, where the system tells it in a file.
fn limit() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn parse(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_and_too_many_fans_are_refused() {
        let text = "Limit   Soft Limit  Hard Limit  Units\nMax open files            20000                20000                files\n";
        assert_eq!(parse(text), Some(20_000));
        assert_eq!(parse("Max open files   unlimited unlimited files\n"), None);
        if limit().is_some() {
            assert!(enough_for(u32::MAX).is_err());
        }
    }
}
