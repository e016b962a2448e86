//! One fan of a client process: a socket, and how far it has come.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::{orders::Setting, wire::Wire};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    /// Connecting, or waiting for the join's answer; a stream on the same connection follows if `then_open`.
    Joining {
        then_open: bool,
    },
    Joined,
    /// Connecting, or waiting for the stream to begin.
    Opening,
    Open,
    /// Was open, or on the way, and is no more.
    Ended,
}

#[derive(Debug)]
pub(super) struct Fan {
    visitor: String,
    pub stage: Stage,
    pub socket: Option<TcpStream>,
    pub wire: Wire,
    /// The request went out.
    pub asked: bool,
    /// Broadcasts heard.
    pub heard: u32,
    /// Still in line, as far as the stream told.
    pub waiting: bool,
    /// Of the last position heard, or of the mark since which is counted.
    pub position_us: i64,
    /// The longest time without a position since the mark.
    pub quiet_us: i64,
}

impl Fan {
    pub(super) fn new() -> Self {
        Self {
            visitor: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()),
            stage: Stage::Idle,
            socket: None,
            wire: Wire::default(),
            asked: false,
            heard: 0,
            waiting: true,
            position_us: 0,
            quiet_us: 0,
        }
    }

    /// Begins to connect from the fan's own address.
    pub(super) fn connect(&mut self, number: u32, to: SocketAddr) -> io::Result<&mut TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if to.ip().is_loopback() {
            socket.bind(&SocketAddr::from((origin(number), 0)).into())?;
        }
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
            _ => {}
        }
        socket.set_tcp_nodelay(true)?;
        self.wire = Wire::default();
        self.asked = false;
        Ok(self.socket.insert(TcpStream::from_std(socket.into())))
    }

    /// Sends what the stage asks for; `host` is the server's.
    pub(super) fn ask(&mut self, setting: &Setting, host: SocketAddr) -> io::Result<()> {
        let visitor = &self.visitor;
        let request = match self.stage {
            Stage::Joining { .. } => format!(
                "POST {} HTTP/1.1\r\nhost: {host}\r\nonsale-visitor: {visitor}\r\ncontent-type: application/json\r\n\
                 content-length: 2\r\n\r\n{{}}",
                setting.join
            ),
            _ => format!(
                "GET {} HTTP/1.1\r\nhost: {host}\r\nonsale-visitor: {visitor}\r\naccept: text/event-stream\r\n\r\n",
                setting.events
            ),
        };
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        // a fresh socket's buffer takes so little in one go
        let sent = socket.write(request.as_bytes())?;
        self.asked = true;
        if sent == request.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// As much as is there, at most one buffer; `None` when there is nothing.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        loop {
            match socket.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// EINPROGRESS, which [`io::ErrorKind`] has no stable name for.
const IN_PROGRESS: i32 = if cfg!(target_os = "linux") { 115 } else { 36 };

/// The n-th fan's own loopback address, as the load test numbers them.
fn origin(fan: u32) -> Ipv4Addr {
    crate::http::loopback(fan)
}
