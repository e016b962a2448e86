//! What browsers are told with every answer that does not say otherwise itself.

use std::sync::LazyLock;

use ::http::{HeaderMap, HeaderValue, header};

use crate::pages::Policy;

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| Policy::default().header());

pub(super) fn add(headers: &mut HeaderMap) {
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert_with(|| HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert_with(|| HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| POLICY.clone());
}
