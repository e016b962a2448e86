//! A Redis of our own.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use libc::{SIGKILL, SIGTERM};

use super::{
    binaries,
    child::{Server, wait_for_former},
    folder::{self, Lock, Scratch},
};

/// Longest for it to answer; it reads its data first.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest for it to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause between two looks whether it answers.
const POLL: Duration = Duration::from_millis(10);

/// Redis as a child process, on a socket file, with an append-only file synced each second.
#[derive(Debug)]
pub struct PrivateRedis {
    server: Server,
    sockets: Scratch,
    _lock: Lock,
}

impl PrivateRedis {
    /// Starts it on `data_dir/redis` and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, the folder is in use, or it does not come up within a minute.
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let program = binaries::redis()?;
        let data = folder::make(&data_dir.join("redis"))?;
        folder::make_private(&data)?;
        let lock = Lock::take(&data)?;
        let pid_file = data.join("redis.pid");
        wait_for_former(&pid_file, &data, STOP_TIMEOUT).await?;
        let sockets = Scratch::new("onsale-socket")?;
        let mut command = Command::new(program);
        command
            .current_dir(&data)
            .args(["--port", "0", "--unixsocketperm", "700", "--daemonize", "no", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"])
            .arg("--unixsocket")
            .arg(sockets.path().join("redis"))
            .arg("--pidfile")
            .arg(&pid_file)
            .arg("--dir")
            .arg(&data);
        let server = Server::start("Redis", command, data.join("redis.log"), SIGTERM).await?;
        let mut this = Self { server, sockets, _lock: lock };
        this.wait_until_ready().await?;
        Ok(this)
    }

    /// For [`crate::redis::connect`].
    pub fn url(&self) -> String {
        format!("redis+unix://{}/redis", self.sockets.path().display())
    }

    /// # Errors
    /// When the server has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.server.check()
    }

    /// Stops it in order: what is not yet in its file is written.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.server.stop(STOP_TIMEOUT).await
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let client = redis::Client::open(self.url())?;
        let started = Instant::now();
        loop {
            let Err(error) = ping(&client).await else { return Ok(()) };
            self.check()?;
            if started.elapsed() > START_TIMEOUT {
                return Err(error).context("Redis did not come up within a minute");
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.server.cut(SIGKILL); // its file loses at most the last second
    }
}

async fn ping(client: &redis::Client) -> redis::RedisResult<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}
