//! A child process with its output at hand. Dropping it kills it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The binary under test, deaf to the settings of whoever runs the tests.
pub(crate) fn onsale() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onsale"));
    for (name, _) in std::env::vars() {
        if name.starts_with("ONSALE_") || name.starts_with("STRIPE_") || ["DATABASE_URL", "REDIS_URL"].contains(&&*name)
        {
            command.env_remove(name);
        }
    }
    command.env("RUST_LOG", "info");
    command
}

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Standard error as a problem document.
    pub(crate) fn problem(&self) -> serde_json::Value {
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let feed = tokio::spawn(async move {
        // a program that does not read closes its end
        let _ = stdin.write_all(input.as_bytes()).await;
    });
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran");
    feed.await.expect("fed");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A server that says `ready URL` on standard output.
pub(crate) struct Server {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Server {
    /// Starts it; its log goes into `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, out, log: log.to_owned() }
    }

    /// The URL it is ready at.
    pub(crate) async fn ready(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.out.next_line()).await;
        match line {
            Ok(Ok(Some(line))) => match line.strip_prefix("ready ") {
                Some(url) => url.to_owned(),
                None => panic!("{line:?} instead of ready"),
            },
            other => panic!("not ready ({other:?}); its log:\n{}", self.log()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal by name, e.g. INT.
    pub(crate) async fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await;
        assert!(sent.expect("kill runs").success());
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a status")
    }

    /// Waits for its end for a while.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn ended_within(&mut self, most: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(most, self.child.wait()).await.ok().map(|status| status.expect("a status"))
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("a status"),
            Err(_) => panic!("it does not end; its log:\n{}", self.log()),
        }
    }
}

/// Waits until `what` holds.
pub(crate) async fn until(say: &str, mut what: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !what().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {say}"));
}
