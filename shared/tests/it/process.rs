//! Processes of our own kind: this test program run again for one ignored test, to be
//! killed, signalled and looked at.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Longest wait for another process to do its part.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: ChildStderr,
}

impl Process {
    /// Runs the ignored test `name` in a process of its own.
    pub(crate) fn run(name: &str) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()), name)
    }

    /// The same, with a variable in its environment.
    pub(crate) fn run_with(name: &str, (key, value): (&str, &Path)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(key, value);
        Self::start(command, name)
    }

    /// The same, with at most `files` open files.
    pub(crate) fn run_limited(name: &str, files: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]);
        command.arg(std::env::current_exe().unwrap());
        Self::start(command, name)
    }

    fn start(mut command: Command, name: &str) -> Self {
        let mut child = command
            .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = child.stderr.take().unwrap();
        Self { child, lines, errors }
    }

    /// What follows `label` on the line it prints.
    pub(crate) fn told(&mut self, label: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some((_, rest)) = line.unwrap().split_once(label) {
                return rest.trim().to_owned();
            }
        }
        panic!("it ended without telling {label}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// How it ended, and all that it said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut said: String = self.lines.map(|line| line.unwrap() + "\n").collect();
        self.errors.read_to_string(&mut said).unwrap();
        (status, said)
    }
}

/// Waits until `condition` holds: what another process does cannot be awaited.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_running(pid: u32) -> bool {
    // a zombie has ended: whoever adopted it is late
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
