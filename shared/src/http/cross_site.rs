//! Refuses writes that another site made a fan's browser send.
//!
//! Only cookies travel by themselves. A request that names its credentials in a header of
//! ours was made by code that may do so: no page of another origin can set it. Any other
//! write that a browser says comes from elsewhere is refused, with cookies or without: a
//! form on another site arrives without them (`SameSite=Lax`), but the browser would keep
//! those of the answer, and the fan would go on with a visitor or session of somebody
//! else's making. A write with our cookies must even show that it comes from our own pages;
//! without any it may say nothing, as programs do.
//!
//! `Sec-Fetch-Site` is the browser's own verdict and settles it. Browsers that do not send
//! it, and all of them over plain HTTP, send an `Origin` with every write.

use ::http::{HeaderMap, Method, Request, StatusCode, Uri, header};

use super::cookies;
use crate::{problem::Problem, server};

/// What the names of our cookies begin with.
const COOKIES: &str = "__Host-onsale-";
/// What the names of our headers begin with.
const HEADERS: &str = "onsale-";

pub(super) fn guard<B>(request: &Request<B>, settings: &server::Settings) -> Result<(), Problem> {
    if is_allowed(request.method(), request.uri(), request.headers(), settings) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "cross-site", "The request comes from another site")
        .detail("A browser's writes need Sec-Fetch-Site: same-origin or an Origin equal to this one."))
}

fn is_allowed(method: &Method, uri: &Uri, headers: &HeaderMap, settings: &server::Settings) -> bool {
    if method.is_safe() {
        return true;
    }
    if headers.contains_key(header::AUTHORIZATION) || headers.keys().any(|name| name.as_str().starts_with(HEADERS)) {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = uri.authority().map(::http::uri::Authority::as_str);
        let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok());
        return origin.to_str().is_ok_and(|origin| is_ours(origin, host, settings));
    }
    !cookies::all(headers).any(|cookie| cookie.name().starts_with(COOKIES))
}

/// Whether `origin` is what fans call us, or the host they asked for. The scheme counts
/// where it is known: behind a proxy only `public_url` tells it.
fn is_ours(origin: &str, host: Option<&str>, settings: &server::Settings) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false }; // `null`, for one
    let is = |name: &str| bare(name, scheme).eq_ignore_ascii_case(bare(authority, scheme));
    if let Some((public_scheme, public)) = settings.public_url.as_deref().and_then(|url| url.split_once("://"))
        && is(public.trim_end_matches('/'))
    {
        return scheme.eq_ignore_ascii_case(public_scheme);
    }
    host.is_some_and(is) && (settings.tls.is_none() || scheme.eq_ignore_ascii_case("https"))
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
        let settings =
            server::Settings { public_url: Some("https://tickets.example/".to_owned()), ..server::Settings::default() };
        allowed_by(&settings, method, headers)
    }

    fn allowed_by(settings: &server::Settings, method: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, "shop.example".parse().unwrap());
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        is_allowed(&method.parse().unwrap(), &"/x".parse().unwrap(), &map, settings)
    }

    const OURS: (&str, &str) = ("cookie", "a=1; __Host-onsale-session=s");
    const OTHERS: (&str, &str) = ("cookie", "theme=dark");

    #[test]
    fn a_write_from_elsewhere_is_refused_with_cookies_or_without() {
        for cookie in [OURS, OTHERS] {
            assert!(!allowed("POST", &[cookie, ("sec-fetch-site", "cross-site")]));
            assert!(!allowed("DELETE", &[cookie, ("sec-fetch-site", "same-site")]));
            for foreign in [
                "null",
                "https://evil.example",
                "https://shop.example.evil.example",
                "https://shop.example:8443",
                "http://tickets.example",
            ] {
                assert!(!allowed("POST", &[cookie, ("origin", foreign)]), "{foreign}");
            }
            // the browser's own verdict beats what the origin looks like
            assert!(!allowed("POST", &[cookie, ("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")]));

            assert!(allowed("POST", &[cookie, ("sec-fetch-site", "same-origin")]));
            assert!(allowed("POST", &[cookie, ("sec-fetch-site", "none")]));
            assert!(allowed("POST", &[cookie, ("origin", "https://shop.example")]));
            assert!(allowed("POST", &[cookie, ("origin", "https://SHOP.example:443")]));
            assert!(allowed("POST", &[cookie, ("origin", "https://tickets.example")]));
        }
    }

    #[test]
    fn the_scheme_counts_where_it_is_known() {
        let plain = server::Settings::default();
        let tls = server::Settings {
            tls: Some(server::TlsFiles { cert: "cert.pem".into(), key: "key.pem".into() }),
            ..server::Settings::default()
        };
        assert!(allowed_by(&plain, "POST", &[OURS, ("origin", "http://shop.example")]));
        assert!(allowed_by(&plain, "POST", &[OURS, ("origin", "https://shop.example")]));
        assert!(!allowed_by(&tls, "POST", &[OURS, ("origin", "http://shop.example")]));
        assert!(allowed_by(&tls, "POST", &[OURS, ("origin", "https://shop.example")]));
    }

    #[test]
    fn reads_headers_and_programs_are_left_alone() {
        assert!(allowed("GET", &[OURS, ("sec-fetch-site", "cross-site")]));
        assert!(allowed("POST", &[]));
        assert!(allowed("POST", &[OTHERS]));
        assert!(!allowed("POST", &[OURS]));
        assert!(allowed("POST", &[OURS, ("authorization", "Bearer t")]));
        assert!(allowed("POST", &[("onsale-visitor", "v"), ("origin", "https://other.example")]));
    }
}
