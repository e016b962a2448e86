//! Problem documents (RFC 9457): the one shape of every refusal.
//!
//! The body says what the client may know. The *cause*, a chain of errors with internal
//! detail, travels beside it as a response extension and ends in the request's log line.

use std::sync::Arc;

use ::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal or failure, ready to be answered.
#[derive(Clone)]
pub struct Problem(Box<Parts>); // boxed: it is the error of many small results

#[derive(Clone)]
struct Parts {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: Option<String>,
    retry_after_s: Option<u64>,
    extras: Map<String, Value>,
    cause: Option<Cause>,
}

/// Why a response failed, for the log only. [`crate::http::front`] prints it.
#[derive(Clone, Debug)]
pub struct Cause(pub Arc<anyhow::Error>);

impl Problem {
    /// `slug` ends the problem's type (`/problems/<slug>`) and never changes its meaning;
    /// `title` is the same for every problem of the slug.
    pub fn new(status: StatusCode, slug: &'static str, title: &'static str) -> Self {
        Self(Box::new(Parts {
            status,
            slug,
            title,
            detail: None,
            retry_after_s: None,
            extras: Map::new(),
            cause: None,
        }))
    }

    /// 500: our fault. The client learns nothing but that.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side").caused_by(error)
    }

    /// 503 with `Retry-After: 1`: something we need is away, and waiting helps.
    pub fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable")
            .retry_after(1)
            .caused_by(error)
    }

    /// What is wrong with this request in particular.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// When to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// A member of its own in the document. The standard members cannot be replaced.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Serialize) -> Self {
        // only a type with a broken Serialize fails, and a problem must be told all the same
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.extras.insert(key.to_owned(), value);
        self
    }

    /// The error behind it, for the log only.
    #[must_use]
    pub fn caused_by(mut self, error: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(Cause(Arc::new(error.into())));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What stands for every problem of the slug.
    pub fn title(&self) -> &'static str {
        self.0.title
    }

    /// What is wrong with this request in particular.
    pub(crate) fn told_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// When to try again, in seconds.
    pub(crate) fn waits_s(&self) -> Option<u64> {
        self.0.retry_after_s
    }

    /// The last part of the type.
    pub fn slug(&self) -> &'static str {
        self.0.slug
    }

    /// The document as it is answered, for those who print it elsewhere.
    pub fn document(&self) -> Value {
        let parts = &*self.0;
        let mut document = parts.extras.clone();
        document.insert("type".into(), format!("/problems/{}", parts.slug).into());
        document.insert("title".into(), parts.title.into());
        document.insert("status".into(), parts.status.as_u16().into());
        if let Some(detail) = &parts.detail {
            document.insert("detail".into(), detail.as_str().into());
        }
        Value::Object(document)
    }
}

impl std::fmt::Debug for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = &*self.0;
        write!(f, "Problem {} {}", parts.status.as_u16(), parts.slug)?;
        if let Some(detail) = &parts.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(Cause(cause)) = &parts.cause {
            write!(f, " (cause: {cause:#})")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.title)?;
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|Cause(cause)| &***cause as &(dyn std::error::Error + 'static))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.document().to_string();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = self.0.cause.clone() {
            response.extensions_mut().insert(cause);
        }
        // for whoever shows it to a person
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_what_the_client_may_know() {
        let problem = Problem::new(StatusCode::CONFLICT, "seats-taken", "Seats are taken")
            .detail("2 of 3")
            .with("seats", ["A-1", "A-2"])
            .with("status", "not this one")
            .caused_by(anyhow::anyhow!("row 7"));
        let document = serde_json::json!({
            "type": "/problems/seats-taken", "title": "Seats are taken", "status": 409,
            "detail": "2 of 3", "seats": ["A-1", "A-2"],
        });
        assert_eq!(problem.document(), document);
        assert_eq!(format!("{problem:?}"), "Problem 409 seats-taken: 2 of 3 (cause: row 7)");
        assert_eq!(std::error::Error::source(&problem).unwrap().to_string(), "row 7");
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let response = Problem::unavailable(anyhow::anyhow!("gone")).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.extensions().get::<Cause>().unwrap().0.to_string(), "gone");
    }
}
