//! Compression of what is worth it.

use std::{convert::Infallible, future::ready, mem};

use ::http::{HeaderMap, Request, header};
use axum::{body::Body, response::Response};
use futures_util::FutureExt as _;
use tower::{ServiceExt as _, service_fn};
use tower_http::{
    CompressionLevel,
    compression::{
        Compression, Predicate,
        predicate::{DefaultPredicate, NotForContentType, SizeAbove},
    },
};

/// Smaller bodies, in bytes, fit one packet with their head: squeezed they arrive no sooner, and squeezing costs
/// more than most of them.
const WORTH_MIN: u64 = 1_200;

/// What the client can read.
pub(super) struct Accepted(HeaderMap);

impl Accepted {
    pub(super) fn by<B>(request: &Request<B>) -> Self {
        let encodings = request.headers().get_all(header::ACCEPT_ENCODING);
        Self(encodings.iter().map(|encoding| (header::ACCEPT_ENCODING, encoding.clone())).collect())
    }

    /// The answer, compressed where that is asked for and worth it. Any other passes as it is: a body that might be
    /// compressed takes 6 KB even when it is not.
    pub(super) fn apply(self, response: Response) -> Response {
        if !worth_it().should_compress(&response) {
            return response;
        }
        let mut request = Request::new(());
        *request.headers_mut() = self.0;
        let mut response = response;
        let answer = service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(mem::take(&mut response))));
        let compressed = Compression::new(answer).quality(CompressionLevel::Fastest).compress_when(worth_it());
        match compressed.oneshot(request).now_or_never().expect("the answer is there already") {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

/// No images, and no event streams: each event would wait in the compressor. No bytes of no kind, either: lists of
/// random places do not shrink, and trying takes half a second of processor for a million.
fn worth_it() -> impl Predicate {
    DefaultPredicate::new().and(SizeAbove::new(WORTH_MIN)).and(NotForContentType::const_new("application/octet-stream"))
}
