//! Names for a request: its id, and the client it came from.

use std::{net::SocketAddr, sync::Arc};

use ::http::{HeaderName, HeaderValue, Request};
use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

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
pub struct RequestId(pub String);

pub(super) async fn identify(
    State(settings): State<Arc<server::Settings>>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() else {
        return Problem::internal(anyhow::anyhow!("the router is not served by server::serve")).into_response();
    };
    let trusted = &settings.trusted_proxies;
    let given = request.headers().get(HEADER).filter(|_| is_trusted(peer.ip(), trusted)).and_then(usable);
    let id = given.unwrap_or_else(|| hex(&random::<16>()));
    let client = client_address::find(peer.ip(), request.headers(), trusted);
    let header = HeaderValue::from_str(&id).expect("letters, digits and - _ . only");
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, header);
    response
}

fn usable(value: &HeaderValue) -> Option<String> {
    let id = value.to_str().ok()?;
    let fine = (1..=LENGTH_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    fine.then(|| id.to_owned())
}
