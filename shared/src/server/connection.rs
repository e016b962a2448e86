//! One connection: handshake, protocol, requests, end.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use ::http::{Request, Response};
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::Watcher},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Settings;

/// Most a connection buffers of requests' heads, in bytes. hyper's own limit is about 400 KiB.
const HEAD_BUFFER: usize = 16 * 1024;
/// Requests at a time on one HTTP/2 connection.
const H2_STREAMS_MAX: u32 = 128;
/// How often an HTTP/2 connection is asked whether it still lives, and how long it has to answer.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What tells HTTP/2 from HTTP/1: no method begins so.
const H2_PREFACE: &[u8] = b"PRI";
/// Enough to see the preface; later reads go past this buffer.
const FIRST_READ: usize = 64;

/// What all connections share.
pub(super) struct Connections {
    router: Router,
    tls: Option<TlsAcceptor>,
    handshake_timeout: Duration,
    head_timeout: Duration,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    pub(super) fn new(
        router: Router,
        tls: Option<TlsAcceptor>,
        settings: &Settings,
        stop: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let head_timeout = Duration::from_secs(settings.header_read_timeout_s);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new()) // without it the next line panics
            .header_read_timeout(head_timeout)
            .max_buf_size(HEAD_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(H2_STREAMS_MAX)
            .max_header_list_size(HEAD_BUFFER as u32)
            .keep_alive_interval(H2_PING_INTERVAL)
            .keep_alive_timeout(H2_PING_TIMEOUT);
        Self {
            router,
            tls,
            handshake_timeout: Duration::from_secs(settings.tls_handshake_timeout_s),
            head_timeout,
            // chosen by us: hyper's own look at the first bytes has no deadline
            http1: builder.clone().http1_only(),
            http2: builder.http2_only(),
            stop,
            cut,
        }
    }

    /// Runs a connection to its end. During a drain it ends when `watcher` has told it and
    /// its request is done, or at the cut.
    pub(super) async fn run(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let _open = Open::new();
        let Some(tls) = &self.tls else { return self.talk(stream, peer, watcher).await };
        let handshake = tokio::time::timeout(self.handshake_timeout, tls.accept(stream));
        tokio::select! {
            () = self.stop.cancelled() => {}
            outcome = handshake => match outcome {
                Ok(Ok(stream)) => self.talk(stream, peer, watcher).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        }
    }

    async fn talk<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stream = BufReader::with_capacity(FIRST_READ, stream);
        // a browser's spare connection, silent so far, must not hold up the drain
        let first = tokio::select! {
            () = self.stop.cancelled() => return,
            first = tokio::time::timeout(self.head_timeout, stream.fill_buf()) => first,
        };
        let builder = match first {
            Ok(Ok([])) | Ok(Err(_)) | Err(_) => return,
            Ok(Ok(bytes)) if bytes.starts_with(H2_PREFACE) => &self.http2,
            Ok(Ok(_)) => &self.http1,
        };
        let spoke = CancellationToken::new();
        let service = service_fn(|request| {
            spoke.cancel();
            answer(self.router.clone(), peer, request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            () = silence(self.head_timeout, &spoke) => tracing::debug!(%peer, "no request in time"),
            outcome = watcher.watch(connection) => {
                if let Err(error) = outcome {
                    tracing::debug!(%peer, %error, "connection");
                }
            }
            () = self.cut.cancelled() => {}
        }
    }
}

/// Ends when no first request came in time. hyper waits for the rest of an HTTP/2 preface
/// for ever.
async fn silence(timeout: Duration, spoke: &CancellationToken) {
    if tokio::time::timeout(timeout, spoke.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

async fn answer(router: Router, peer: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}

/// Counts itself among the open connections.
struct Open;

impl Open {
    fn new() -> Self {
        metrics::gauge!("onsale_http_connections").increment(1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("onsale_http_connections").decrement(1);
    }
}
