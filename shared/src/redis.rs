//! Redis: one connection for a process, single or Cluster, that never hangs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use redis::{
    Client, Cmd, ConnectionAddr, IntoConnectionInfo as _, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::telemetry;

/// Longest wait for an answer. The crate's 500 ms would give up during a fork or a slow script.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for an attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to connect again.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);
/// Longest wait for the first connection of a process; a server may still be loading its data.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Commands waiting to be written. The crate's 50 is too few for the fan-in of a web server.
const PIPELINE_BUFFER: usize = 4096;

/// Where Redis is, and whose keys are ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `redis+unix:///path`, `redis://` on loopback, `rediss://` anywhere. Several with
    /// commas between them are nodes of one Cluster.
    pub url: SecretString,
    /// What every key begins with.
    #[serde(default = "default_prefix")]
    pub prefix: String,
}

fn default_prefix() -> String {
    "onsale".to_owned()
}

/// A connection to be cloned freely: all clones share one socket (or one for each node).
///
/// Every command is answered or fails within 2 seconds, even while the server is away and
/// the connection is being made again in the background. So no blocking commands here.
#[derive(Clone)]
pub struct Redis {
    connection: Connection,
    prefix: Arc<str>,
}

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redis({})", self.prefix)
    }
}

impl Redis {
    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The same connection for keys under another prefix.
    #[must_use]
    pub fn with_prefix(&self, prefix: impl Into<Arc<str>>) -> Self {
        Self { connection: self.connection.clone(), prefix: prefix.into() }
    }
}

/// Connects, and refuses a server that would lose keys under pressure.
///
/// # Errors
/// When a URL is wrong or unsafe, when no server answers within 10 seconds, or when its
/// `maxmemory-policy` is not `noeviction`.
pub async fn connect(settings: &Settings) -> anyhow::Result<Redis> {
    telemetry::install_crypto(); // rediss:// takes the process's provider
    let urls: Vec<&str> = settings.url.expose_secret().split(',').map(str::trim).collect();
    for url in &urls {
        check_safe(url)?;
    }
    let connection = tokio::time::timeout(START_TIMEOUT, open(&urls))
        .await
        .context("Redis did not answer within 10 seconds")?
        .context("connecting to Redis")?;
    let mut redis = Redis { connection, prefix: settings.prefix.as_str().into() };
    check_policy(&mut redis).await?;
    Ok(redis)
}

async fn open(urls: &[&str]) -> RedisResult<Connection> {
    if let [url] = urls {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(usize::MAX)
            .set_max_delay(RECONNECT_DELAY_MAX)
            .set_pipeline_buffer_size(PIPELINE_BUFFER);
        return Ok(Connection::Single(Client::open(*url)?.get_connection_manager_with_config(config).await?));
    }
    let client = ClusterClientBuilder::new(urls.to_vec())
        .response_timeout(RESPONSE_TIMEOUT)
        .connection_timeout(CONNECT_TIMEOUT)
        .build()?;
    Ok(Connection::Cluster(client.get_async_connection().await?))
}

/// Plain text only where no wire is: a socket file or loopback. Never names the URL, which
/// may hold a password.
fn check_safe(url: &str) -> anyhow::Result<()> {
    let info = url.into_connection_info().context("redis.url is no Redis URL")?;
    match info.addr() {
        ConnectionAddr::Unix(_) | ConnectionAddr::TcpTls { insecure: false, .. } => Ok(()),
        ConnectionAddr::TcpTls { .. } => bail!("redis.url turns certificate checks off (#insecure)"),
        ConnectionAddr::Tcp(host, _) if is_loopback(host) => Ok(()),
        ConnectionAddr::Tcp(host, _) => bail!("redis.url: {host} is beyond loopback, use rediss:// (verified TLS)"),
        _ => bail!("redis.url: this kind of address is not supported"),
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

async fn check_policy(redis: &mut Redis) -> anyhow::Result<()> {
    let answer: Value =
        redis::cmd("INFO").arg("memory").query_async(redis).await.context("asking Redis for INFO memory")?;
    let mut reports = Vec::new();
    texts(&answer, &mut reports);
    let mut policies = reports
        .iter()
        .flat_map(|report| report.lines())
        .filter_map(|line| line.strip_prefix("maxmemory_policy:"))
        .map(str::trim)
        .peekable();
    if policies.peek().is_none() {
        bail!("Redis does not tell its maxmemory-policy");
    }
    match policies.find(|policy| *policy != "noeviction") {
        None => Ok(()),
        Some(policy) => bail!(
            "Redis has maxmemory-policy {policy} and would drop fans' places when memory is short: set it to noeviction"
        ),
    }
}

/// Every text in an answer; a Cluster answers INFO with one for each node.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => out.push(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => out.push(text.clone()),
        Value::Array(items) | Value::Set(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| texts(value, out)),
        _ => {}
    }
}

/// The manager waits for as long as it takes to connect again; a request must not.
async fn bounded<T>(answer: RedisFuture<'_, T>) -> RedisResult<T> {
    match tokio::time::timeout(RESPONSE_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from Redis within 2 seconds").into())
        }
    }
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let answer = match &mut self.connection {
            Connection::Single(connection) => connection.req_packed_command(command),
            Connection::Cluster(connection) => connection.req_packed_command(command),
        };
        Box::pin(bounded(answer))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let answer = match &mut self.connection {
            Connection::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        };
        Box::pin(bounded(answer))
    }

    fn get_db(&self) -> i64 {
        match &self.connection {
            Connection::Single(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_this_machine() {
        for fine in [
            "redis://127.0.0.1/",
            "redis://localhost:7000",
            "redis://[::1]/",
            "rediss://redis.example/",
            "redis+unix:///run/redis",
        ] {
            assert!(check_safe(fine).is_ok(), "{fine}");
        }
        for unsafe_url in
            ["redis://redis.example/", "redis://10.0.0.1", "rediss://redis.example/#insecure", "http://127.0.0.1"]
        {
            assert!(check_safe(unsafe_url).is_err(), "{unsafe_url}");
        }
        let error = check_safe("redis://user:hunter2@redis.example/").unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }
}
