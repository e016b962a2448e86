//! Taking a connection out of hyper's hands in the middle of an answer.
//!
//! A stream that says a few bytes now and then needs a socket and little else; hyper and its task keep some
//! 10 KiB for it. So a handler may answer through the ordinary router, with status, headers and a first
//! piece, and have the socket given to somebody who goes on writing in chunked framing. This happens once
//! everything hyper had to say has left its buffers, and not before.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

/// Stands among a request's extensions where the connection can be taken: plain HTTP/1.1, nothing more to read.
#[derive(Clone)]
pub struct Detachable(Arc<Link>);

/// A connection whose answer is under way in chunked framing: the head and the first chunk have left.
pub struct Detached {
    /// Does not block.
    pub socket: std::net::TcpStream,
    /// To be dropped with the socket.
    pub counted: Counted,
}

/// What keeps a connection counted: its slot of `max_connections`, and the gauge of open ones.
pub struct Counted {
    _slot: OwnedSemaphorePermit,
}

type Then = Box<dyn FnOnce(Detached) + Send>;

/// What the connection, its writer and the body know of each other. One a connection: HTTP/1 answers in turn.
#[derive(Default)]
pub(super) struct Link {
    phase: AtomicU8,
    then: Mutex<Option<Then>>,
}

/// No answer asks for the socket.
const ORDINARY: u8 = 0;
/// hyper has the first piece and waits for the next.
const WAITING: u8 = 1;
/// hyper has written all it had after that.
const FLUSHED: u8 = 2;

impl Counted {
    pub(super) fn new(slot: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("onsale_http_connections").increment(1);
        Self { _slot: slot }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("onsale_http_connections").decrement(1);
    }
}

impl Detachable {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        Self(link.clone())
    }

    /// A body that begins with `first`; then the connection is handed to `then`. When the answer goes under
    /// way (the client left, a middleware drops the body), `then` is dropped uncalled.
    pub fn answer(self, first: Bytes, then: impl FnOnce(Detached) + Send + 'static) -> Body {
        *self.0.then() = Some(Box::new(then));
        Body::new(Beginning { first: Some(first), link: self.0 })
    }
}

impl Link {
    fn then(&self) -> std::sync::MutexGuard<'_, Option<Then>> {
        self.then.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an answer's head and first piece have left, and its socket is asked for.
    pub(super) fn is_flushed(&self) -> bool {
        self.phase.load(Ordering::Acquire) == FLUSHED
    }

    pub(super) fn take(&self) -> Option<Then> {
        self.then().take()
    }
}

/// The first piece, and then silence until the socket is taken.
struct Beginning {
    first: Option<Bytes>,
    link: Arc<Link>,
}

impl HttpBody for Beginning {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        // once only: nothing is buffered after this, so a flush that succeeded stays true
        let _already =
            self.link.phase.compare_exchange(ORDINARY, WAITING, Ordering::AcqRel, Ordering::Acquire).is_err();
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        self.link.phase.store(ORDINARY, Ordering::Release);
        drop(self.link.take());
    }
}

/// A connection's stream that tells its link when hyper has nothing left to write. hyper flushes the stream only
/// with its own buffer empty.
pub(super) struct Flushing<S> {
    pub(super) stream: S,
    pub(super) link: Arc<Link>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Flushing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flushing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            let _ordinary =
                self.link.phase.compare_exchange(WAITING, FLUSHED, Ordering::AcqRel, Ordering::Acquire).is_err();
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
