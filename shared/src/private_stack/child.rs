//! Child processes that end when we do.

use std::{
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use libc::{SIGKILL, c_int, pid_t};

/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);
/// How much of a log is shown when a server does not start, in lines.
const LOG_LINES: usize = 10;

/// A server and how it is asked to stop.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_signal: c_int,
}

impl Server {
    /// Starts `command` with its output in `log`. `stop_signal` is what it gets when we stop
    /// it and when we die.
    pub(super) async fn start(
        name: &'static str,
        mut command: Command,
        log: PathBuf,
        stop_signal: c_int,
    ) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        end_with_us(&mut command, stop_signal);
        let child = spawn(command).await.with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child, log, stop_signal })
    }

    /// # Errors
    /// When the server has ended; with the last lines of its log.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({}):\n{}", self.name, describe(status), tail(&self.log)),
        }
    }

    /// Asks the server to stop and waits; kills it after `deadline`.
    pub(super) async fn stop(&mut self, deadline: Duration) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(self.stop_signal);
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("{} did not stop within {} s and was killed", self.name, deadline.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends it now, with `signal`, which must be one that it obeys at once.
    pub(super) fn cut(&mut self, signal: c_int) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(signal);
            if let Err(error) = self.child.wait() {
                tracing::warn!(server = self.name, %error, "waiting for its end");
            }
        }
    }

    fn signal(&self, signal: c_int) {
        send(self.child.id() as pid_t, signal);
    }
}

/// Waits until what a former process of ours left running in `folder` has ended. Its
/// servers were told to stop when it died, and may still be at it.
pub(super) async fn wait_for_former(pid_file: &Path, folder: &Path, deadline: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    while let Some(pid) = running(pid_file, folder) {
        if started.elapsed() > deadline {
            bail!("process {pid} still runs in {}", folder.display());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The process that `pid_file` names, if it works in `folder`; a number left from before
/// may long be somebody else's.
fn running(pid_file: &Path, folder: &Path) -> Option<pid_t> {
    let text = std::fs::read_to_string(pid_file).ok()?;
    let pid: pid_t = text.lines().next()?.trim().parse().ok()?;
    if cfg!(target_os = "linux") {
        let at = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        return (at == folder).then_some(pid);
    }
    send(pid, 0).then_some(pid)
}

fn send(pid: pid_t, signal: c_int) -> bool {
    #[allow(unsafe_code, reason = "kill reads no memory; the child is not yet waited for, so its number is its own")]
    unsafe {
        libc::kill(pid, signal) == 0
    }
}

#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command, signal: c_int) {
    let us = std::process::id() as pid_t;
    let prepare = move || {
        #[allow(unsafe_code, reason = "system calls only: allowed between fork and exec")]
        unsafe {
            // after the change of user, which would clear it
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal) == -1 {
                return Err(std::io::Error::last_os_error());
            }
            if libc::getppid() != us {
                libc::_exit(1); // we died in between, and nobody will tell the child
            }
        }
        Ok(())
    };
    #[allow(unsafe_code, reason = "the closure allocates nothing and takes no lock")]
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Elsewhere nobody tells a child that its parent was killed.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command, _: c_int) {}

type Job = Box<dyn FnOnce() + Send>;

/// Spawns on a thread that lives as long as the process: the kernel counts the *thread*
/// that made the child as its parent, and those of a runtime come and go.
async fn spawn(mut command: Command) -> anyhow::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("private-stack".to_owned())
            .spawn(move || queue.into_iter().for_each(|job| job()))
            .expect("the process may have one more thread");
        jobs
    });
    let (answer, spawned) = tokio::sync::oneshot::channel();
    let job = Box::new(move || {
        // if nobody waits any more, the child must not stay
        if let Err(Ok(mut child)) = answer.send(command.spawn()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    });
    spawner.send(job).ok().context("the thread that starts servers is gone")?;
    Ok(spawned.await.context("the thread that starts servers is gone")??)
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(SIGKILL)) => "killed".to_owned(),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
