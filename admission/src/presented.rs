//! What a request presents of its sender: in a header or, from browsers, in a cookie. A header beats a
//! cookie, even one that cannot be read: it is then as good as a wrong one, never as good as none.

use http::{HeaderMap, HeaderName, header};
use shared::http::cookies;

use crate::ids::DropId;

pub const VISITOR_COOKIE: &str = "__Host-onsale-visitor";
const VISITOR: HeaderName = HeaderName::from_static("onsale-visitor");
const PASS: HeaderName = HeaderName::from_static("onsale-pass");

/// What carries a drop's admission token from the waiting page to the seats, in browsers.
pub fn admission_cookie(drop: &DropId) -> String {
    format!("__Host-onsale-admission-{drop}")
}

/// What carries a drop's pass, in browsers: whoever has one has a place in its line.
pub fn pass_cookie(drop: &DropId) -> String {
    format!("__Host-onsale-pass-{drop}")
}

pub const SESSION_COOKIE: &str = "__Host-onsale-session";
pub(crate) const OPERATOR_COOKIE: &str = "__Host-onsale-operator";

/// The visitor secret as sent, and whether in a header: such a client keeps it itself.
pub fn visitor(headers: &HeaderMap) -> Option<(String, bool)> {
    let in_header = in_header(headers, &VISITOR).map(|text| (text, true));
    in_header.or_else(|| Some((cookies::get(headers, VISITOR_COOKIE)?, false)))
}

/// The pass, when a header carries it.
pub fn pass(headers: &HeaderMap) -> Option<String> {
    in_header(headers, &PASS)
}

/// A fan's session token.
pub fn session(headers: &HeaderMap) -> Option<String> {
    bearer(headers).or_else(|| cookies::get(headers, SESSION_COOKIE))
}

/// An operator's session token.
pub(crate) fn operator(headers: &HeaderMap) -> Option<String> {
    bearer(headers).or_else(|| cookies::get(headers, OPERATOR_COOKIE))
}

/// `Authorization: Bearer <token>` (RFC 6750); another scheme is a token nobody accepts.
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = in_header(headers, &header::AUTHORIZATION)?;
    Some(match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ => String::new(),
    })
}

fn in_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_beats_a_cookie_even_when_it_cannot_be_read() {
        let mut headers = HeaderMap::new();
        let cookies = format!("{VISITOR_COOKIE}=v; {SESSION_COOKIE}=s; {OPERATOR_COOKIE}=o");
        headers.insert(header::COOKIE, cookies.parse().unwrap());
        assert_eq!(operator(&headers), Some("o".to_owned()));
        assert_eq!((visitor(&headers), session(&headers)), (Some(("v".to_owned(), false)), Some("s".to_owned())));
        headers.insert("onsale-visitor", http::HeaderValue::from_bytes(&[0xff]).unwrap());
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!((visitor(&headers), session(&headers)), (Some((String::new(), true)), Some(String::new())));
        headers.insert(header::AUTHORIZATION, "bearer  token".parse().unwrap());
        assert_eq!(session(&headers), Some("token".to_owned()));
        assert_eq!(operator(&headers), Some("token".to_owned()));
    }
}
