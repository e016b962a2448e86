//! Refuses writes that another site made a fan's browser send.
//!
//! Only cookies travel by themselves. A request that names its credentials in a header of
//! ours was made by code that may do so (no page of another origin can set it), and one
//! without our cookies writes nothing in anybody's name. What is left must show that it
//! comes from our own pages: `Sec-Fetch-Site`, or an `Origin` equal to the host asked.

use std::sync::Arc;

use ::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::{
    body::Body,
    extract::State,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::cookies;
use crate::{problem::Problem, server};

/// What the names of our cookies begin with.
const COOKIES: &str = "__Host-onsale-";
/// What the names of our headers begin with.
const HEADERS: &str = "onsale-";

pub(super) async fn guard(
    State(settings): State<Arc<server::Settings>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if is_allowed(request.method(), request.uri(), request.headers(), settings.public_url.as_deref()) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::FORBIDDEN, "cross-site", "The request comes from another site")
        .detail("Writes with our cookies need Sec-Fetch-Site: same-origin or an Origin equal to the Host.")
        .into_response()
}

fn is_allowed(method: &Method, uri: &Uri, headers: &HeaderMap, public_url: Option<&str>) -> bool {
    if method.is_safe() {
        return true;
    }
    let by_header =
        headers.contains_key(header::AUTHORIZATION) || headers.keys().any(|name| name.as_str().starts_with(HEADERS));
    let by_cookie = cookies::all(headers).any(|cookie| cookie.name().starts_with(COOKIES));
    if by_header || !by_cookie {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return false };
    let host = uri.authority().map(::http::uri::Authority::as_str);
    let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok());
    let Some((scheme, authority)) = origin.split_once("://") else { return false }; // `null`, for one
    let same_host = host.is_some_and(|host| bare(host, scheme).eq_ignore_ascii_case(bare(authority, scheme)));
    same_host || public_url.is_some_and(|url| url.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

/// Without the port that the scheme implies.
fn bare<'a>(authority: &'a str, scheme: &str) -> &'a str {
    let implied = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(implied).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, "shop.example".parse().unwrap());
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        is_allowed(&method.parse().unwrap(), &"/x".parse().unwrap(), &map, Some("https://tickets.example"))
    }

    const OURS: (&str, &str) = ("cookie", "a=1; __Host-onsale-session=s");

    #[test]
    fn a_write_with_our_cookie_must_come_from_our_pages() {
        assert!(!allowed("POST", &[OURS]));
        assert!(!allowed("POST", &[OURS, ("sec-fetch-site", "cross-site")]));
        assert!(!allowed("DELETE", &[OURS, ("sec-fetch-site", "same-site")]));
        assert!(!allowed("POST", &[OURS, ("origin", "https://evil.example")]));
        assert!(!allowed("POST", &[OURS, ("origin", "https://shop.example.evil.example")]));
        assert!(!allowed("POST", &[OURS, ("origin", "null")]));
        // the browser's own verdict beats what the origin looks like
        assert!(!allowed("POST", &[OURS, ("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")]));

        assert!(allowed("POST", &[OURS, ("sec-fetch-site", "same-origin")]));
        assert!(allowed("POST", &[OURS, ("sec-fetch-site", "none")]));
        assert!(allowed("POST", &[OURS, ("origin", "https://shop.example")]));
        assert!(allowed("POST", &[OURS, ("origin", "https://SHOP.example:443")]));
        assert!(allowed("POST", &[OURS, ("origin", "https://tickets.example")]));
    }

    #[test]
    fn reads_headers_and_strangers_are_left_alone() {
        assert!(allowed("GET", &[OURS, ("sec-fetch-site", "cross-site")]));
        assert!(allowed("POST", &[]));
        assert!(allowed("POST", &[("cookie", "theme=dark"), ("origin", "https://evil.example")]));
        assert!(allowed("POST", &[OURS, ("authorization", "Bearer t")]));
        assert!(allowed("POST", &[OURS, ("onsale-visitor", "v")]));
    }
}
