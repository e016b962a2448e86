//! One connection: handshake, protocol, requests, end.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use ::http::{Request, Response, Version};
use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::ConnectInfo,
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    Settings,
    detach::{Counted, Detachable, Detached, Flushing, Link},
};

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
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    stop: CancellationToken,
    cut: CancellationToken,
}

/// How hyper's part of a connection came to its end.
enum End {
    /// Closed, drained, cut or failed.
    Closed,
    /// An answer asks for the socket, and all of it so far has left.
    Detached,
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
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new()) // without it the next line panics
            .header_read_timeout(head_timeout)
            .max_buf_size(HEAD_BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
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
            http1,
            http2,
            stop,
            cut,
        }
    }

    /// Runs a connection to its end, or until an answer takes its socket. During a drain it ends when its
    /// requests are done, or at the cut.
    pub(super) async fn run(&self, stream: TcpStream, peer: SocketAddr, counted: Counted) {
        let Some(tls) = &self.tls else { return self.plain(stream, peer, counted).await };
        let handshake = tokio::time::timeout(self.handshake_timeout, tls.accept(stream));
        tokio::select! {
            () = self.stop.cancelled() => {}
            outcome = handshake => match outcome {
                Ok(Ok(stream)) => self.encrypted(BufReader::with_capacity(FIRST_READ, stream), peer).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        }
    }

    async fn encrypted<S>(&self, mut stream: BufReader<S>, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.is_http2(&mut stream).await {
            None => {}
            Some(true) => self.http2(stream, peer).await,
            Some(false) => {
                let spoke = CancellationToken::new();
                let service = service_fn(|request| {
                    spoke.cancel();
                    answer(self.router.clone(), peer, None, request)
                });
                let mut connection = self.http1.serve_connection(TokioIo::new(stream), service);
                self.drive(Pin::new(&mut connection), peer, &spoke, || false).await;
            }
        }
    }

    async fn plain(&self, stream: TcpStream, peer: SocketAddr, counted: Counted) {
        let mut stream = BufReader::with_capacity(FIRST_READ, stream);
        match self.is_http2(&mut stream).await {
            None => return,
            Some(true) => return self.http2(stream, peer).await,
            Some(false) => {}
        }
        let link = Arc::new(Link::default());
        let spoke = CancellationToken::new();
        let service = service_fn(|request| {
            spoke.cancel();
            answer(self.router.clone(), peer, Some(&link), request)
        });
        let io = TokioIo::new(Flushing { stream, link: link.clone() });
        let mut connection = self.http1.serve_connection(io, service);
        if let End::Detached = self.drive(Pin::new(&mut connection), peer, &spoke, || link.is_flushed()).await
            && let Some(then) = link.take()
        {
            let stream = connection.into_parts().io.into_inner().stream;
            match stream.into_inner().into_std() {
                Ok(socket) => then(Detached { socket, counted }),
                Err(error) => tracing::warn!(%peer, %error, "taking a socket"),
            }
        }
    }

    /// What a connection speaks, from its first bytes; `None` when it closes, or stays silent too long. Looked at
    /// by us: hyper's own look has no deadline.
    async fn is_http2<S: AsyncRead + Unpin>(&self, stream: &mut BufReader<S>) -> Option<bool> {
        // a browser's spare connection, silent so far, must not hold up the drain
        let first = tokio::select! {
            () = self.stop.cancelled() => return None,
            first = tokio::time::timeout(self.head_timeout, stream.fill_buf()) => first,
        };
        match first {
            Ok(Ok([])) | Ok(Err(_)) | Err(_) => None,
            Ok(Ok(bytes)) => Some(bytes.starts_with(H2_PREFACE)),
        }
    }

    async fn http2<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let spoke = CancellationToken::new();
        let service = service_fn(|request| {
            spoke.cancel();
            answer(self.router.clone(), peer, None, request)
        });
        let connection = pin!(self.http2.serve_connection(TokioIo::new(stream), service));
        self.drive(connection, peer, &spoke, || false).await;
    }

    async fn drive<C>(
        &self,
        mut connection: Pin<&mut C>,
        peer: SocketAddr,
        spoke: &CancellationToken,
        is_detached: impl Fn() -> bool,
    ) -> End
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut silence = pin!(silence(self.head_timeout, spoke));
        let mut draining = false;
        loop {
            let end = poll_fn(|cx| match connection.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending if is_detached() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            tokio::select! {
                () = &mut silence => {
                    tracing::debug!(%peer, "no request in time");
                    return End::Closed;
                }
                end = end => return match end {
                    None => End::Detached,
                    Some(Ok(())) => End::Closed,
                    Some(Err(error)) => {
                        tracing::debug!(%peer, %error, "connection");
                        End::Closed
                    }
                },
                () = self.stop.cancelled(), if !draining => {
                    connection.as_mut().graceful_shutdown();
                    draining = true;
                }
                () = self.cut.cancelled() => return End::Closed,
            }
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

/// Through the router. `link` is that of a connection whose socket an answer may take: one in chunked framing,
/// with no part of the request still to come.
fn answer(
    router: Router,
    peer: SocketAddr,
    link: Option<&Arc<Link>>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    if let Some(link) = link
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
    {
        request.extensions_mut().insert(Detachable::new(link));
    }
    router.oneshot(request)
}
