//! One log line and two metrics for each request.

use std::time::Instant;

use ::http::{Method, Request, Response};
use axum::extract::MatchedPath;
use tracing::{Span, field::display};

use super::identity::RequestId;
use crate::problem::Cause;

/// A request under way.
pub(super) struct Entry {
    started: Instant,
    method: Method,
    /// Never the query: it may carry a token.
    path: String,
    route: Option<MatchedPath>,
    id: RequestId,
}

impl Entry {
    pub(super) fn new<B>(request: &Request<B>, id: &RequestId) -> Self {
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            id: id.clone(),
        }
    }

    /// What happens inside carries the request's id.
    pub(super) fn span(&self) -> Span {
        tracing::info_span!("request", request_id = %self.id.as_str())
    }

    pub(super) fn write<B>(self, response: &Response<B>) {
        let Self { started, method, path, route, id } = self;
        let (status, took) = (response.status(), started.elapsed());
        let cause = response.extensions().get::<Cause>().map(|Cause(cause)| format!("{cause:#}"));
        let ms = took.as_micros() as f64 / 1000.0;
        let route = route.as_ref().map(MatchedPath::as_str);
        let (shown_route, shown_cause) = (route.map(display), cause.map(display));
        let request_id = id.as_str();
        if status.is_server_error() {
            tracing::error!(%method, path, route = shown_route, status = status.as_u16(), ms, request_id, cause = shown_cause, "request");
        } else {
            tracing::info!(%method, path, route = shown_route, status = status.as_u16(), ms, request_id, cause = shown_cause, "request");
        }

        // bounded labels only: no path and no method of the client's making
        let method = known(&method);
        let route = route.unwrap_or("none").to_owned();
        metrics::histogram!("onsale_http_request_seconds", "method" => method, "route" => route.clone())
            .record(took.as_secs_f64());
        let status = status.as_str().to_owned();
        metrics::counter!("onsale_http_requests_total", "method" => method, "route" => route, "status" => status)
            .increment(1);
    }
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
