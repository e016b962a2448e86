//! No body longer or slower than the settings say.

use std::time::Duration;

use ::http::{Request, header};
use axum::body::{Body, HttpBody as _};
use http_body_util::{BodyExt as _, Limited};
use tower_http::timeout::DeadlineBody;

use crate::{json::too_large, problem::Problem, server};

/// How much of a body that is too large is still read, in bytes, before it is refused: a
/// client that gets its answer while it is still sending often sees a reset instead.
const DISCARD_MAX: usize = 4 << 20;

pub(super) async fn limit(request: &mut Request<Body>, settings: &server::Settings) -> Result<(), Problem> {
    if request.body().is_end_stream() {
        return Ok(());
    }
    let max = settings.body_max_bytes;
    let timeout = Duration::from_secs(settings.body_timeout_s);
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let body = DeadlineBody::new(timeout, std::mem::take(request.body_mut()));
    if length.is_some_and(|length| length > max as u64) {
        // a client that asks first is not yet sending
        if !request.headers().contains_key(header::EXPECT) {
            Box::pin(discard(body)).await; // seldom: no other request makes room for it
        }
        return Err(too_large());
    }
    *request.body_mut() = Body::new(Limited::new(body, max));
    Ok(())
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
