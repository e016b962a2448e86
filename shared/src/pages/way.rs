//! Where a form leads next.

use ::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// 303: what was asked is done, look there. `path` is one of ours.
pub fn see_other(path: &str) -> Response {
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A path of this site out of untrusted text, so that a link in a mail cannot lead a fan elsewhere after
/// signing in: it starts with one slash and holds nothing a browser reads as another host.
pub fn local_path(text: &str) -> Option<&str> {
    let is_ours = text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= 2_000
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_ours.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_followed() {
        assert_eq!(local_path("/queue/an-evening?shown=3"), Some("/queue/an-evening?shown=3"));
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil", "/a\r\nb", "/\t/evil"]
        {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
    }
}
