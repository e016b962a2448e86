//! Cookies: read one, set one.

use ::http::{HeaderMap, HeaderValue, header};
use cookie::Cookie;

/// The value of the cookie `name`; the first, where it comes twice.
pub fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    all(headers).find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// A `Set-Cookie` value for a secret of ours: never for scripts, never sent cross-site
/// except by following a link, for the whole site, only over TLS (browsers count
/// `http://localhost` as such). `max_age_s` of 0 removes the cookie.
///
/// `name` and `value` are tokens, base64url or slugs; a character that no cookie may hold
/// is left out.
pub fn set(name: &str, value: &str, max_age_s: u64) -> HeaderValue {
    with_same_site(name, value, max_age_s, "Lax")
}

/// Like [`set`], and not even sent by following a link from another site: for those whose every page can do
/// harm.
pub fn set_strict(name: &str, value: &str, max_age_s: u64) -> HeaderValue {
    with_same_site(name, value, max_age_s, "Strict")
}

fn with_same_site(name: &str, value: &str, max_age_s: u64, same_site: &str) -> HeaderValue {
    let clean = |text: &str| text.chars().filter(|c| is_cookie_octet(*c)).collect::<String>();
    let (name, value) = (clean(name), clean(value));
    let text = format!("{name}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite={same_site}; Secure");
    HeaderValue::try_from(text).expect("only visible ASCII is left")
}

/// Every cookie the request carries.
pub(super) fn all(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
}

/// RFC 6265 §4.1.1.
fn is_cookie_octet(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_cookie_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; __Host-onsale-visitor=abc-_".parse().unwrap());
        headers.append(header::COOKIE, "other=1".parse().unwrap());
        assert_eq!(get(&headers, "__Host-onsale-visitor").as_deref(), Some("abc-_"));
        assert_eq!(get(&headers, "other").as_deref(), Some("1"));
        assert_eq!(get(&headers, "__Host-onsale"), None);
    }

    #[test]
    fn a_value_cannot_end_its_cookie() {
        let value = set("__Host-a", "x; Domain=evil\r\nSet-Cookie: b=1", 60);
        let expected = "__Host-a=xDomain=evilSet-Cookie:b=1; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(value, expected);
    }
}
