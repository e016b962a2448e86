//! The server loop: an axum router on hyper, with every limit named.
//!
//! A loop of our own, because no ready-made one has all of: TLS with certificate reload, a
//! cap on connections, a deadline for heads, and a drain that ends.

mod connection;
mod detach;
mod tls;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use ipnet::IpNet;
use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::detach::{Counted, Detachable, Detached};
use self::{connection::Connections, tls::Certificate};
use crate::lifecycle::Lifecycle;

/// Pause after an accept that failed, say for want of file descriptors, so that the loop
/// neither ends nor spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Longest that sent data may stay unacknowledged: a client that vanished or never reads
/// holds its connection no longer.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Where to listen and how much to bear. Names end in their unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The public port.
    pub listen: SocketAddr,
    /// The port for health and metrics.
    pub private_listen: SocketAddr,
    /// HTTPS with this certificate; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Connections at a time; the next ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Longest for a request's head to arrive, and for an idle connection to stay.
    pub header_read_timeout_s: u64,
    pub tls_handshake_timeout_s: u64,
    /// Longest for a request's body to arrive.
    pub body_timeout_s: u64,
    pub body_max_bytes: usize,
    /// Longest for requests under way to finish once the process stops.
    pub drain_s: u64,
    /// Connections waiting to be accepted; the kernel caps it at `net.core.somaxconn`.
    pub backlog: u32,
    /// Whose `X-Forwarded-For` and `X-Request-Id` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to start on plain HTTP beyond loopback, where browsers refuse our cookies.
    pub insecure_cookies: bool,
    /// What the site is called, on every page.
    pub brand: String,
    /// The origin fans see, when a proxy stands before us: `https://tickets.example`.
    pub public_url: Option<String>,
}

/// PEM files; reloaded when they change and on SIGHUP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            private_listen: ([127, 0, 0, 1], 9080).into(),
            tls: None,
            max_connections: 20_000,
            header_read_timeout_s: 10,
            tls_handshake_timeout_s: 5,
            body_timeout_s: 15,
            body_max_bytes: 65_536,
            drain_s: 20,
            backlog: 4096,
            trusted_proxies: Vec::new(),
            insecure_cookies: false,
            brand: "Onsale".to_owned(),
            public_url: None,
        }
    }
}

/// Opens a listening socket. Not tokio's own `bind`: that one queues 128 connections, and
/// an on-sale drops the rest.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

/// Serves `router` until the lifecycle stops, then drains: no new connections, idle ones
/// close, requests under way finish, at most `drain_s`. Streams should end by themselves at
/// [`Lifecycle::stopping`]; what is left at the deadline is cut. A connection that an answer took
/// ([`Detachable`]) is no longer waited for: whoever has it ends it.
///
/// Every request carries `ConnectInfo<SocketAddr>`.
///
/// # Errors
/// When the certificate cannot be read. Once running, only the stop ends it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &Settings,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let stop = lifecycle.stopping();
    let tls = match &settings.tls {
        None => None,
        Some(files) => {
            let certificate = Certificate::load(files)?;
            lifecycle.spawn("tls-reload", certificate.clone().follow(stop.clone()));
            Some(tls::acceptor(certificate)?)
        }
    };
    let cut = CancellationToken::new();
    let connections = Arc::new(Connections::new(router, tls, settings, stop.clone(), cut.clone()));
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let open = TaskTracker::new();
    loop {
        // a slot first: at the cap nothing is accepted, and the kernel's queue takes over
        let next = async {
            let slot = slots.clone().acquire_owned().await?;
            anyhow::Ok((slot, accept(&listener).await))
        };
        let (slot, (stream, peer)) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next => next?,
        };
        let (connections, counted) = (connections.clone(), Counted::new(slot));
        open.spawn(async move { connections.run(stream, peer, counted).await });
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(Duration::from_secs(settings.drain_s), open.wait()).await.is_err() {
        tracing::warn!(drain_s = settings.drain_s, "the drain's deadline passed; cutting what is left");
    }
    cut.cancel();
    Ok(())
}

/// The next connection, however often accepting fails before.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                prepare(&stream);
                return (stream, peer);
            }
            Err(error) => {
                metrics::counter!("onsale_accept_errors_total").increment(1);
                tracing::warn!(%error, "accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Options that make a stream better and whose absence harms nobody.
fn prepare(stream: &TcpStream) {
    let outcome = stream.set_nodelay(true); // events leave at once
    #[cfg(target_os = "linux")]
    let outcome = outcome.and_then(|()| socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)));
    if let Err(error) = outcome {
        tracing::debug!(%error, "socket options");
    }
}
