//! Answers that may be kept: an ETag over the body, how long it is good for, and 304 for
//! who has it already.

use askama::Template;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use serde::Serialize;
use shared::encoding;

use crate::error::Error;

/// What shows availability: a second old at most, longer only while it is being fetched anew,
/// a day when we are gone.
const MOMENT: &str = "public, max-age=1, stale-while-revalidate=10, stale-if-error=86400";
/// What is named by its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// A body with its tag, ready to be sent many times.
#[derive(Clone)]
pub(crate) struct Page {
    body: Bytes,
    content_type: &'static str,
    etag: HeaderValue,
    cache_control: &'static str,
}

impl Page {
    /// JSON that is good for a moment.
    pub(crate) fn moment(value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self::new(body.into(), JSON, MOMENT))
    }

    /// A page for everybody's eyes that is good for a moment.
    pub(crate) fn html(template: &impl Template) -> Result<Self, Error> {
        let body = template.render().map_err(|error| Error::Internal(error.into()))?;
        Ok(Self::new(body.into(), HTML, MOMENT))
    }

    /// JSON that never changes.
    pub(crate) fn for_ever(body: Bytes) -> Self {
        Self::new(body, JSON, FOR_EVER)
    }

    fn new(body: Bytes, content_type: &'static str, cache_control: &'static str) -> Self {
        // weak: the same content may travel compressed
        let tag = format!("W/\"{}\"", encoding::base64url(&encoding::sha256(&[&body])[..16]));
        let etag = HeaderValue::try_from(tag).expect("base64url is visible ASCII");
        Self { body, content_type, etag, cache_control }
    }

    /// The answer to a request with these headers.
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let headers = [(ETAG, self.etag.clone()), (CACHE_CONTROL, HeaderValue::from_static(self.cache_control))];
        if self.is_known(request) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = [(CONTENT_TYPE, HeaderValue::from_static(self.content_type))];
        (headers, content_type, self.body.clone()).into_response()
    }

    fn is_known(&self, request: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = self.etag.to_str().map(opaque).unwrap_or_default();
        request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim() == "*" || opaque(tag) == own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_gets_no_body() {
        let page = Page::moment(&[1, 2]).unwrap();
        let mut request = HeaderMap::new();
        assert_eq!(page.respond(&request).status(), StatusCode::OK);
        request.insert(IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(page.respond(&request).status(), StatusCode::OK);
        let both = format!("\"other\", {}", page.etag.to_str().unwrap().trim_start_matches("W/"));
        request.insert(IF_NONE_MATCH, HeaderValue::try_from(both).unwrap());
        assert_eq!(page.respond(&request).status(), StatusCode::NOT_MODIFIED);
    }
}
