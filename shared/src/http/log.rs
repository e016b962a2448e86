//! One log line and two metrics for each request.

use std::time::Instant;

use ::http::{Method, Request};
use axum::{body::Body, extract::MatchedPath, middleware::Next, response::Response};
use tracing::{Instrument as _, field::display};

use super::RequestId;
use crate::problem::Cause;

pub(super) async fn log(request: Request<Body>, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // never the query: it may carry a token
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let id = request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone()).unwrap_or_default();

    let span = tracing::info_span!("request", request_id = %id);
    let response = next.run(request).instrument(span).await;

    let status = response.status();
    let took = started.elapsed();
    let cause = response.extensions().get::<Cause>().map(|Cause(cause)| format!("{cause:#}"));
    let ms = took.as_micros() as f64 / 1000.0;
    let shown_route = route.as_deref().map(display);
    let shown_cause = cause.map(display);
    if status.is_server_error() {
        tracing::error!(%method, path, route = shown_route, status = status.as_u16(), ms, request_id = %id, cause = shown_cause, "request");
    } else {
        tracing::info!(%method, path, route = shown_route, status = status.as_u16(), ms, request_id = %id, cause = shown_cause, "request");
    }

    // bounded labels only: no path and no method of the client's making
    let method = known(&method);
    let route = route.unwrap_or_else(|| "none".to_owned());
    metrics::histogram!("onsale_http_request_seconds", "method" => method, "route" => route.clone())
        .record(took.as_secs_f64());
    let status = status.as_str().to_owned();
    metrics::counter!("onsale_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
