//! A keep-alive HTTP/1.1 connection from an address of its own, that does as little work a call as
//! can be: the client must not be what is measured.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// Longest head of an answer, in bytes.
const HEAD_MAX: usize = 16 * 1024;
/// What a read may bring at a time, in bytes.
const READ: usize = 4 * 1024;

/// The n-th client's own address: 127.16.1.1, 127.16.1.2, …
pub(crate) fn loopback(n: usize) -> Ipv4Addr {
    let octet = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    let (last, rest) = (n % 254 + 1, n / 254);
    Ipv4Addr::new(127, octet(16 + rest / 254 % 239), octet(rest % 254 + 1), octet(last))
}

/// A POST or GET without a body. `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

pub(crate) struct Wire {
    stream: TcpStream,
    /// Read and not used yet.
    buffer: Vec<u8>,
}

struct Head {
    status: u16,
    /// Bytes of the head with its empty line.
    length: usize,
    body: Body,
}

enum Body {
    Known(usize),
    Chunked,
    UntilClosed,
}

impl Wire {
    pub(crate) async fn open(to: SocketAddr, from: Ipv4Addr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(READ) })
    }

    /// Sends a request; the status, with the body left in `body`.
    pub(crate) async fn call(&mut self, request: &[u8], body: &mut Vec<u8>) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        let Body::Known(length) = head.body else {
            return Err(io::Error::new(ErrorKind::InvalidData, "an answer without its length"));
        };
        let whole = head.length + length;
        while self.buffer.len() < whole {
            self.read().await?;
        }
        body.clear();
        body.extend_from_slice(&self.buffer[head.length..whole]);
        self.buffer.drain(..whole);
        Ok(head.status)
    }

    /// Opens an event stream.
    pub(crate) async fn listen(mut self, request: &[u8]) -> io::Result<(u16, Events)> {
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        self.buffer.drain(..head.length);
        let chunked = matches!(head.body, Body::Chunked);
        Ok((head.status, Events { wire: self, chunked, chunk_left: 0, text: Vec::new() }))
    }

    async fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return parse(&self.buffer[..end + 4]).ok_or_else(|| ErrorKind::InvalidData.into());
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// An open event stream.
pub(crate) struct Events {
    wire: Wire,
    chunked: bool,
    /// Bytes of the present chunk that are still to come, its line end included.
    chunk_left: usize,
    /// Taken out of the chunks, up to the last whole event.
    text: Vec<u8>,
}

/// One event; empty where the stream did not say.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Events {
    /// The next event that carries data. Cancelling loses nothing.
    ///
    /// # Errors
    /// When the stream ended.
    pub(crate) async fn next(&mut self) -> io::Result<Event> {
        loop {
            while let Some(end) = find(&self.text, b"\n\n") {
                let event = event(&String::from_utf8_lossy(&self.text[..end]));
                self.text.drain(..end + 2);
                if !event.data.is_empty() {
                    return Ok(event);
                }
            }
            if !self.take()? {
                self.wire.read().await?;
            }
        }
    }

    /// Moves what has arrived out of its chunks; false when more must be read first.
    fn take(&mut self) -> io::Result<bool> {
        let arrived = &mut self.wire.buffer;
        if arrived.is_empty() {
            return Ok(false);
        }
        if !self.chunked {
            self.text.append(arrived);
            return Ok(true);
        }
        if self.chunk_left == 0 {
            let Some(end) = find(arrived, b"\r\n") else { return Ok(false) };
            let size = std::str::from_utf8(&arrived[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
            arrived.drain(..end + 2);
            match size {
                None => return Err(ErrorKind::InvalidData.into()),
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(size) => self.chunk_left = size + 2,
            }
        }
        let taken = arrived.len().min(self.chunk_left);
        // the line end behind the chunk is no part of it
        let text = taken.min(self.chunk_left.saturating_sub(2));
        self.text.extend_from_slice(&arrived[..text]);
        arrived.drain(..taken);
        self.chunk_left -= taken;
        Ok(taken > 0)
    }
}

fn event(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut event.kind),
            "id" => value.clone_into(&mut event.id),
            "data" => value.clone_into(&mut event.data),
            _ => {}
        }
    }
    event
}

fn parse(head: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(head).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let mut body = if status == 204 { Body::Known(0) } else { Body::UntilClosed };
    for line in text.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            body = Body::Known(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked;
        }
    }
    Some(Head { status, length: head.len(), body })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
