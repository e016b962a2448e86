//! What stands before every route: the middleware, in one order, with its reasons.

pub mod cookies;

mod body;
mod compress;
mod cross_site;
mod headers;
mod identity;
mod log;
mod panic;

use std::{panic::AssertUnwindSafe, sync::Arc};

use ::http::{Request, StatusCode};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tower::Service as _;
use tracing::Instrument as _;

use crate::{
    pages::{ProblemPage, Site},
    problem::Problem,
    server,
};

/// What the middleware needs to know.
struct Front {
    settings: server::Settings,
    site: Site,
}

/// Puts the middleware around `router`: the order is that of `pass`. One layer for all of it: each layer of a router
/// is copied and allocated anew for each request, and what a thousand waiting requests hold should fit a core's cache.
///
/// What no route answers is a problem too: 404 `not-found`, 405 `method-not-allowed`.
pub fn front(router: Router, settings: &server::Settings, site: &Site) -> Router {
    let front = Arc::new(Front { settings: settings.clone(), site: site.clone() });
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(from_fn_with_state(front, pass))
}

/// The way of a request, outermost first:
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
async fn pass(State(front): State<Arc<Front>>, mut request: Request<Body>, next: Next) -> Response {
    let id = match identity::identify(&mut request, &front.settings) {
        Ok(id) => id,
        Err(problem) => return problem.into_response(),
    };
    let entry = log::Entry::new(&request, &id);
    let accepted = compress::Accepted::by(&request);
    let page = ProblemPage::asked_for(&request);

    let inside = AssertUnwindSafe(guarded(&front.settings, request, next)).catch_unwind();
    let response = inside.instrument(entry.span()).await.unwrap_or_else(panic::to_problem);

    let response = match page {
        Some(page) => page.instead_of(response, &front.site),
        None => response,
    };
    let mut response = accepted.apply(response);
    headers::add(response.headers_mut());
    entry.write(&response);
    identity::name(&mut response, &id);
    response
}

/// The innermost part: what may refuse a request before its handler sees it.
async fn guarded(settings: &server::Settings, mut request: Request<Body>, mut next: Next) -> Response {
    if let Err(problem) = cross_site::guard(&request, settings) {
        return problem.into_response();
    }
    if let Err(problem) = body::limit(&mut request, settings).await {
        return problem.into_response();
    }
    DefaultBodyLimit::disable().apply(&mut request); // axum's own 2 MB; the limit above is the one
    let answer = next.call(request);
    drop(next); // a copy of all that stands behind: not to be kept while the request waits
    match answer.await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here")
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not allowed here")
}
