//! A Postgres of our own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use libc::{SIGINT, SIGQUIT};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use super::{
    binaries,
    child::{Server, wait_for_former},
    folder::{self, Lock, Scratch},
    owner::Owner,
};

const USER: &str = "onsale";
const DATABASE: &str = "onsale";
/// Longest for it to answer; after a crash it replays its log first.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest for it to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks whether it answers.
const POLL: Duration = Duration::from_millis(25);

/// What may differ between a stack that keeps its data and one for tests.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// Whether commits survive a power cut. Off only for data nobody will miss.
    pub fsync: bool,
    pub max_connections: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { fsync: true, max_connections: 200 }
    }
}

/// Postgres as a child process, on a socket file, with a database `onsale`.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Server,
    sockets: Scratch,
    _lock: Lock,
}

impl PrivatePostgres {
    /// Starts it on `data_dir/postgres`, made at the first time, and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, the folder is in use or out of its user's reach, or it does
    /// not come up within a minute.
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(data_dir, PostgresOptions::default()).await
    }

    /// Like [`PrivatePostgres::start`].
    ///
    /// # Errors
    /// As there.
    pub async fn start_with(data_dir: &Path, options: PostgresOptions) -> anyhow::Result<Self> {
        let programs = binaries::postgres()?;
        let owner = Owner::find()?;
        let home = folder::make(&data_dir.join("postgres"))?;
        let lock = Lock::take(&home)?;
        let sockets = Scratch::new("onsale-socket")?;
        if let Some(owner) = &owner {
            owner.check_way(&home)?;
            owner.own(&home)?;
            owner.own(sockets.path())?;
        }
        let data = home.join("data");
        if !data.exists() {
            init(&programs, &home, owner, options).await.context("making the database folder")?;
        }
        // it sees through a stale pid file itself, unless the number is somebody else's now
        let pid_file = data.join("postmaster.pid");
        wait_for_former(&pid_file, &data, STOP_TIMEOUT).await?;
        if pid_file.exists() {
            std::fs::remove_file(&pid_file).with_context(|| pid_file.display().to_string())?;
        }
        let command = command(&programs, &data, sockets.path(), owner, options);
        let server = Server::start("Postgres", command, home.join("postgres.log"), SIGINT).await?;
        let mut this = Self { server, sockets, _lock: lock };
        this.make_database().await?;
        Ok(this)
    }

    /// For [`crate::postgres::connect`].
    pub fn url(&self) -> String {
        format!("postgres:///{DATABASE}?host={}&user={USER}", self.sockets.path().display())
    }

    /// # Errors
    /// When the server has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.server.check()
    }

    /// Stops it in order (a fast shutdown: sessions are ended, data is written).
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.server.stop(STOP_TIMEOUT).await
    }

    async fn make_database(&mut self) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let created = sqlx::query("CREATE DATABASE onsale").execute(&mut connection).await;
        match created {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => Ok(()), // it exists
            Err(error) => Err(error).context("making the database onsale"),
        }
    }

    /// Connects once the server answers.
    async fn connect(&mut self) -> anyhow::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.sockets.path())
            .port(5432)
            .username(USER)
            .database("postgres");
        let started = Instant::now();
        loop {
            let error = match options.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            self.check()?;
            if started.elapsed() > START_TIMEOUT {
                return Err(error).context("Postgres did not come up within a minute");
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.server.cut(SIGQUIT); // without goodbye; it replays its log next time
    }
}

/// Makes a data folder aside and moves it into place, so that a half-made one is never used.
async fn init(programs: &Path, home: &Path, owner: Option<Owner>, options: PostgresOptions) -> anyhow::Result<()> {
    let young = home.join("data.new");
    if young.exists() {
        std::fs::remove_dir_all(&young)?;
    }
    let mut command = run_as(programs.join("initdb"), home, owner);
    command.arg("-D").arg(&young).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]);
    if !options.fsync {
        command.arg("--no-sync");
    }
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output().await.context("running initdb")?;
    if !output.status.success() {
        bail!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(std::fs::rename(&young, home.join("data"))?)
}

fn command(programs: &Path, data: &Path, sockets: &Path, owner: Option<Owner>, options: PostgresOptions) -> Command {
    let switch = |on| if on { "on" } else { "off" };
    let settings = [
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", sockets.display()),
        "unix_socket_permissions=0700".to_owned(),
        format!("fsync={}", switch(options.fsync)),
        format!("full_page_writes={}", switch(options.fsync)),
        format!("synchronous_commit={}", switch(options.fsync)),
        format!("max_connections={}", options.max_connections),
        "logging_collector=off".to_owned(),
    ];
    let mut command = run_as(programs.join("postgres"), data, owner);
    command.arg("-D").arg(data).args(["-p", "5432"]);
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    command
}

fn run_as(program: PathBuf, folder: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name); // PGDATA, PGPORT and the like are about another server
    }
    if let Some(owner) = owner {
        use std::os::unix::process::CommandExt as _;
        command.uid(owner.uid).gid(owner.gid).env("HOME", "/nonexistent");
    }
    command
}
