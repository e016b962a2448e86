//! Names for a request: its id, and the client it came from.

use std::net::SocketAddr;

use ::http::{HeaderName, HeaderValue, Request, Response};
use axum::extract::ConnectInfo;

use crate::{
    client_address::{self, is_trusted},
    encoding::{hex, random},
    problem::Problem,
    server,
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a proxy, in characters.
const LENGTH_MAX: usize = 64;

/// What the request is called in logs, here and at the proxy before us.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The id: letters, digits and `-`, `_`, `.` only.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What to call the request; the client's address is put into it for everything inside.
pub(super) fn identify<B>(request: &mut Request<B>, settings: &server::Settings) -> Result<RequestId, Problem> {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() else {
        return Err(Problem::internal(anyhow::anyhow!("the router is not served by server::serve")));
    };
    let trusted = &settings.trusted_proxies;
    let given = request.headers().get(HEADER).filter(|_| is_trusted(peer.ip(), trusted)).filter(|id| is_usable(id));
    let id = RequestId(given.cloned().unwrap_or_else(new_id));
    let client = client_address::find(peer.ip(), request.headers(), trusted);
    request.extensions_mut().insert(client);
    Ok(id)
}

/// Tells the client what its request was called.
pub(super) fn name<B>(response: &mut Response<B>, id: &RequestId) {
    response.headers_mut().insert(HEADER, id.0.clone());
}

fn new_id() -> HeaderValue {
    HeaderValue::try_from(hex(&random::<16>())).expect("hexadecimal digits")
}

fn is_usable(value: &HeaderValue) -> bool {
    let id = value.as_bytes();
    (1..=LENGTH_MAX).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
