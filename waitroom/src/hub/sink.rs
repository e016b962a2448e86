//! Where a stream's frames go: a socket of its own, or the body of an answer that hyper writes.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use futures_util::Stream;
use mio::{Interest, Registry, Token, net::TcpStream};
use shared::server::{Counted, Detached};
use tokio::sync::mpsc;

use super::{
    frames::Frame,
    inbox::{Inbox, Message, Ref},
};

/// Frames a body may be behind by.
const BODY_FRAMES_MAX: usize = 4;
/// Bytes a client may send on its stream; it has nothing to say there.
const HEARD_MAX: u32 = 65_536;

pub(super) enum Sink {
    Socket { socket: TcpStream, heard: u32, _counted: Counted },
    Body { frames: mpsc::Sender<Bytes>, link: Arc<Link> },
}

/// How a write went.
pub(super) enum Wrote {
    All,
    /// So many bytes; the rest must follow before anything else.
    Some(usize),
    /// There is nobody any more.
    Gone,
}

impl Sink {
    pub(super) fn socket(detached: Detached) -> Self {
        let socket = TcpStream::from_std(detached.socket);
        Self::Socket { socket, heard: 0, _counted: detached.counted }
    }

    /// Lets the sink tell when it has room again, or is gone.
    pub(super) fn register(&mut self, registry: &Registry, stream: Ref) -> io::Result<()> {
        match self {
            Self::Socket { socket, .. } => {
                registry.register(socket, Token(stream.index as usize), Interest::READABLE | Interest::WRITABLE)
            }
            Self::Body { link, .. } => {
                link.stream.store(stream.to_bits(), Ordering::SeqCst);
                Ok(())
            }
        }
    }

    pub(super) fn close(&mut self, registry: &Registry) {
        if let Self::Socket { socket, .. } = self {
            // a client that is gone already is none to say it to
            let _gone = registry.deregister(socket).and_then(|()| socket.shutdown(Shutdown::Write));
        }
    }

    /// Whether a frame may be offered; when not, the sink will tell.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Socket { .. } => true,
            Self::Body { frames, link } => {
                if frames.capacity() > 0 {
                    return true;
                }
                link.wanted.store(true, Ordering::SeqCst);
                frames.capacity() > 0 // it was emptied between the two
            }
        }
    }

    /// Whether the fan went away.
    pub(super) fn is_gone(&mut self) -> bool {
        match self {
            Self::Socket { socket, heard, .. } => is_closed(socket, heard),
            Self::Body { frames, .. } => frames.is_closed(),
        }
    }

    pub(super) fn write_frame(&mut self, frame: &Frame) -> Wrote {
        match self {
            Self::Socket { .. } => self.write(frame.chunk()),
            Self::Body { frames, .. } => match frames.try_send(Bytes::copy_from_slice(frame.payload())) {
                Ok(()) => Wrote::All,
                Err(_) => Wrote::Gone, // never full: room was seen, and only this thread fills it
            },
        }
    }

    /// Bytes of a socket's framing; a body has its own.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Wrote {
        let Self::Socket { socket, .. } = self else { return Wrote::All };
        loop {
            return match socket.write(bytes) {
                Ok(0) => Wrote::Gone,
                Ok(written) if written == bytes.len() => Wrote::All,
                Ok(written) => Wrote::Some(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Wrote::Some(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Wrote::Gone,
            };
        }
    }
}

/// Reads and forgets what the client says; whether it hung up, or says too much.
fn is_closed(socket: &mut TcpStream, heard: &mut u32) -> bool {
    let mut scratch = [0; 4096];
    loop {
        match socket.read(&mut scratch) {
            Ok(0) => return true,
            Ok(read) => {
                *heard += read as u32;
                if *heard > HEARD_MAX {
                    return true;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}

/// What a body and its sink know of each other.
pub(super) struct Link {
    /// Nobody yet, or a [`Ref`].
    stream: AtomicU64,
    /// The sink has something to write and no room.
    wanted: AtomicBool,
}

/// The frames of an answer that hyper writes: TLS, HTTP/2.
pub(super) struct Frames {
    first: Option<Bytes>,
    frames: mpsc::Receiver<Bytes>,
    link: Arc<Link>,
    inbox: Arc<Inbox>,
}

impl Frames {
    pub(super) fn new(first: Bytes, inbox: Arc<Inbox>) -> (Sink, Self) {
        let (sender, receiver) = mpsc::channel(BODY_FRAMES_MAX);
        let link = Arc::new(Link { stream: AtomicU64::new(u64::MAX), wanted: AtomicBool::new(false) });
        let sink = Sink::Body { frames: sender, link: link.clone() };
        (sink, Self { first: Some(first), frames: receiver, link, inbox })
    }

    fn tell(&self) {
        let bits = self.link.stream.load(Ordering::SeqCst);
        // before its arrival nobody needs to know: the sink is looked at then
        if bits != u64::MAX {
            self.inbox.push(Message::Touched(Ref::from_bits(bits)));
        }
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let next = self.frames.poll_recv(context);
        if let Poll::Ready(Some(_)) = next
            && self.link.wanted.swap(false, Ordering::SeqCst)
        {
            self.tell();
        }
        next.map(|frame| frame.map(Ok))
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.frames.close();
        self.tell();
    }
}
