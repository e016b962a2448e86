//! What a process has used, from Linux's /proc (proc(5)).

use std::{fs, time::Duration};

use anyhow::Context as _;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process(pub u32);

/// What it held and had used at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Private memory in user space (RssAnon), in bytes.
    pub memory: u64,
    /// CPU in user space and for it in the kernel, of all threads.
    pub cpu: Duration,
}

/// /proc counts CPU in hundredths of a second, whatever the kernel's own tick is.
const TICKS_PER_S: u64 = 100;

impl Process {
    /// # Errors
    /// When the process is gone, or this is not Linux.
    pub(super) fn usage(self) -> anyhow::Result<Usage> {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.0);
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let memory = rss_anon(&read("status")?).context("no RssAnon in /proc/PID/status")?;
        let cpu = cpu(&read("stat")?).context("no times in /proc/PID/stat")?;
        Ok(Usage { memory, cpu })
    }
}

/// What several processes hold and have used together.
pub(super) fn of_all(processes: &[Process]) -> anyhow::Result<Usage> {
    let mut sum = Usage::default();
    for process in processes {
        let usage = process.usage()?;
        sum.memory += usage.memory;
        sum.cpu += usage.cpu;
    }
    Ok(sum)
}

fn rss_anon(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(kib.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn cpu(stat: &str) -> Option<Duration> {
    // the second field is the program's name in brackets, and may itself hold brackets and spaces
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        assert_eq!(rss_anon("Name:\tx\nRssAnon:\t    1040 kB\nRssFile:\t 7 kB\n"), Some(1040 * 1024));
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 99 1 2";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_memory() {
        let usage = Process(std::process::id()).usage().unwrap();
        assert!((100_000..10_000_000_000).contains(&usage.memory), "{usage:?}");
        assert!(Process(u32::MAX).usage().is_err());
    }
}
