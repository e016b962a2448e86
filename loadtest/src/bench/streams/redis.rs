//! Redis's own books, read as text over its socket: which commands it has run.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, ensure};

/// Longest for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket in `redis+unix://PATH`.
#[derive(Debug, Clone)]
pub(super) struct Redis(PathBuf);

/// How often each command was called since the server began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// `total_commands_processed`: what clients sent, and what their scripts ran inside.
    pub total: u64,
    /// Calls of each command, those inside scripts too.
    pub calls: BTreeMap<String, u64>,
}

impl Redis {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let path = url.strip_prefix("redis+unix://").context("expected redis+unix://PATH")?;
        Ok(Self(path.into()))
    }

    /// # Errors
    /// When it cannot be reached or answers something else.
    pub(super) fn commands(&self) -> anyhow::Result<Commands> {
        let stats = self.info("stats")?;
        let total = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
        let total = total.context("no total_commands_processed in INFO stats")?.trim().parse()?;
        Ok(Commands { total, calls: calls(&self.info("commandstats")?) })
    }

    /// The server's process.
    pub(super) fn process_id(&self) -> anyhow::Result<u32> {
        let server = self.info("server")?;
        let id = server.lines().find_map(|line| line.strip_prefix("process_id:"));
        Ok(id.context("no process_id in INFO server")?.trim().parse()?)
    }

    fn info(&self, section: &str) -> anyhow::Result<String> {
        let ask = || {
            let mut socket = UnixStream::connect(&self.0)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(format!("INFO {section}\r\n").as_bytes())?;
            // a bulk string: $LENGTH, line end, so many bytes
            let mut answer = BufReader::new(socket);
            let mut head = String::new();
            answer.read_line(&mut head)?;
            let length = head.trim().strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
            let mut text = vec![0; length.with_context(|| format!("it answered {head:?}"))?];
            ensure!(text.len() < 1 << 20, "it answered too much");
            answer.read_exact(&mut text)?;
            anyhow::Ok(String::from_utf8(text)?)
        };
        ask().with_context(|| format!("asking Redis at {}", self.0.display()))
    }
}

/// What only clients send: no script runs a script, greets, or asks for the books.
const SENT_ONLY: [&str; 12] = [
    "evalsha",
    "eval",
    "evalsha_ro",
    "eval_ro",
    "fcall",
    "fcall_ro",
    "script",
    "ping",
    "hello",
    "client",
    "info",
    "auth",
];

impl Commands {
    /// What only clients can have sent. A plain command that scripts use too is not told apart from theirs, and
    /// not in it.
    pub(super) fn sent(&self) -> u64 {
        let sent = self.calls.iter().filter(|(name, _)| SENT_ONLY.contains(&name.split('|').next().unwrap_or(name)));
        sent.map(|(_, calls)| calls).sum()
    }

    /// What was run from `before` to here.
    pub(super) fn since(&self, before: &Self) -> Self {
        let calls =
            self.calls.iter().map(|(name, calls)| (name.clone(), calls - before.calls.get(name).copied().unwrap_or(0)));
        Self { total: self.total - before.total, calls: calls.filter(|(_, calls)| *calls > 0).collect() }
    }
}

fn calls(commandstats: &str) -> BTreeMap<String, u64> {
    let lines = commandstats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    lines.filter_map(|(name, rest)| Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_statistics_are_read_and_compared() {
        let text = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=8\r\ncmdstat_client|setinfo:calls=2,usec=1\r\ncmdstat_zcard:calls=9,usec=1\r\n";
        let before = Commands { total: 10, calls: calls(text) };
        assert_eq!(before.calls["client|setinfo"], 2);
        let after = Commands { total: 25, calls: calls("cmdstat_evalsha:calls=20,x\ncmdstat_zcard:calls=9,") };
        let since = after.since(&before);
        assert_eq!((before.sent(), since.sent()), (14, 8));
        assert_eq!((since.total, since.calls), (15, BTreeMap::from([("evalsha".to_owned(), 8)])));
    }
}
