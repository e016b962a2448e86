//! What stands before every route: the middleware, in one order, with its reasons.

pub mod cookies;

mod body;
mod cross_site;
mod identity;
mod log;
mod panic;

use std::sync::Arc;

use ::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel, ServiceBuilderExt as _,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, NotForContentType},
    },
};

pub use self::identity::RequestId;
use crate::{
    pages::{self, Policy, Site},
    problem::Problem,
    server,
};

/// Puts the middleware around `router`, outermost first:
///
/// 1. *identity*: request id and client address, so that everything inside can name them;
/// 2. *log*: one line and the metrics for each request; outside all that may answer itself,
///    so that no answer goes unseen;
/// 3. *headers* for the browser, on every answer, refusals too;
/// 4. *compression*, never of event streams: each event would wait in the compressor;
/// 5. *pages for people*: a problem that a browser is about to show becomes a page;
/// 6. *panic* to problem 500, inside the log, which prints the cause;
/// 7. *cross-site* guard, before anything reads the body;
/// 8. *body* limits in bytes and seconds, around the handler that reads it.
///
/// What no route answers is a problem too: 404 `not-found`, 405 `method-not-allowed`.
pub fn front(router: Router, settings: &server::Settings, site: &Site) -> Router {
    let settings = Arc::new(settings.clone());
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("text/event-stream"));
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(settings.clone(), identity::identify))
            .layer(axum::middleware::from_fn(log::log))
            .insert_response_header_if_not_present(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .insert_response_header_if_not_present(
                HeaderName::from_static("referrer-policy"),
                HeaderValue::from_static("same-origin"),
            )
            .insert_response_header_if_not_present(header::CONTENT_SECURITY_POLICY, Policy::default().header())
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressible))
            .layer(from_fn_with_state(site.clone(), pages::for_people))
            .layer(CatchPanicLayer::custom(panic::to_problem))
            .layer(from_fn_with_state(settings.clone(), cross_site::guard))
            .layer(from_fn_with_state(settings, body::limit))
            .layer(DefaultBodyLimit::disable()), // axum's own 2 MB; the limit above is the one
    )
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here")
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not allowed here")
}
