//! No body longer or slower than the settings say.

use std::{sync::Arc, time::Duration};

use ::http::{Request, header};
use axum::{
    body::{Body, HttpBody as _},
    extract::State,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::{BodyExt as _, Limited};
use tower_http::timeout::DeadlineBody;

use crate::{json::too_large, server};

/// How much of a body that is too large is still read, in bytes, before it is refused: a
/// client that gets its answer while it is still sending often sees a reset instead.
const DISCARD_MAX: usize = 4 << 20;

pub(super) async fn limit(
    State(settings): State<Arc<server::Settings>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let max = settings.body_max_bytes;
    let timeout = Duration::from_secs(settings.body_timeout_s);
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max as u64) {
        // a client that asks first is not yet sending
        if !request.headers().contains_key(header::EXPECT) {
            discard(DeadlineBody::new(timeout, request.into_body())).await;
        }
        return too_large().into_response();
    }
    next.run(request.map(|body| Body::new(Limited::new(DeadlineBody::new(timeout, body), max)))).await
}

async fn discard(body: DeadlineBody<Body>) {
    let mut body = std::pin::pin!(body);
    let mut left = DISCARD_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
