//! The connection a fan makes calls on.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header::HOST};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpSocket, time::timeout};

use super::{Answer, Call, Target, Trouble};

/// A call without an answer after this many seconds is given up (and made again).
const CALL_S: u64 = 30;
/// A connection not made after this many seconds is given up.
const CONNECT_S: u64 = 10;
/// The longest body taken, in bytes; a stadium's layout is a few megabytes.
const BODY_MAX: usize = 32 * 1024 * 1024;
/// Buffers of one connection, in bytes: thousands of fans share this process.
const BUFFER_MAX: usize = 16 * 1024;

/// One fan's keep-alive connection, made when first needed and again when it broke.
#[derive(Debug)]
pub(crate) struct Client {
    target: Arc<Target>,
    from: Option<IpAddr>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(target: Arc<Target>, from: Option<IpAddr>) -> Self {
        Self { target, from, connection: None }
    }

    /// One attempt.
    ///
    /// # Errors
    /// [`Trouble`] when there was no whole answer; the connection is then dropped.
    pub(crate) async fn call(&mut self, call: &Call) -> Result<Answer, Trouble> {
        let outcome = match timeout(Duration::from_secs(CALL_S), self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Trouble::Slow(CALL_S)),
        };
        if outcome.is_err() {
            self.close();
        }
        outcome
    }

    /// Sends a call on a connection of its own and hands back its body as it comes.
    pub(super) async fn open(&self, call: &Call) -> Result<Response<Incoming>, Trouble> {
        let opening = async {
            let mut connection = self.connect().await?;
            Ok(connection.send_request(self.request(call)?).await?)
        };
        match timeout(Duration::from_secs(CALL_S), opening).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Trouble::Slow(CALL_S)),
        }
    }

    /// Hangs up.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer, Trouble> {
        let request = self.request(call)?;
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let answer = whole(response).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let connecting = async {
            let socket = if self.target.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(from) = self.from {
                socket.bind((from, 0).into())?;
            }
            let stream = socket.connect(self.target.address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = match timeout(Duration::from_secs(CONNECT_S), connecting).await {
            Ok(outcome) => outcome.map_err(|source| self.unconnected(source))?,
            Err(_) => return Err(Trouble::Slow(CONNECT_S)),
        };
        let (sender, connection) =
            http1::Builder::new().max_buf_size(BUFFER_MAX).handshake(TokioIo::new(stream)).await?;
        // whatever ends the connection is seen by the call that is using it
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    fn unconnected(&self, source: std::io::Error) -> Trouble {
        let from = match self.from {
            Some(address) if source.kind() == std::io::ErrorKind::AddrNotAvailable => format!(
                "{address} (this machine's loopback network has only some addresses; \
                 add it, such as with `ifconfig lo0 alias {address}`)"
            ),
            Some(address) => address.to_string(),
            None => "this machine".into(),
        };
        Trouble::Connect { from, source }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.target.base, call.path))
            .header(HOST, &self.target.authority);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(call.body.clone().unwrap_or_default()))
    }
}

pub(super) async fn whole(response: Response<Incoming>) -> Result<Answer, Trouble> {
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Trouble::TooLong(BODY_MAX)),
        Err(error) => {
            return Err(error
                .downcast::<hyper::Error>()
                .map_or(Trouble::TooLong(BODY_MAX), |error| Trouble::Broken(*error)));
        }
    };
    Ok(Answer { status: head.status, headers: head.headers, body })
}
