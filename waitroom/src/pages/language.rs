//! Which language a fan reads: what the address asks for, or what was chosen before, or what the browser prefers.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, RawQuery},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};
use shared::http::cookies;

use super::catalogue::Catalogue;
use crate::app::App;

/// Where a choice is remembered.
const COOKIE: &str = "__Host-onsale-lang";
/// For how long, in seconds.
const COOKIE_S: u64 = 365 * 86_400;
/// A longer list of languages is no person's, in characters.
const ACCEPTED_MAX: usize = 1_000;

/// The language of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    pub(super) say: &'static Catalogue,
    /// The address asked for it: a choice to be remembered.
    chosen_now: bool,
}

impl FromRequestParts<App> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, app).await?;
        let asked = query.as_deref().and_then(asked).and_then(Catalogue::of);
        Ok(Self {
            say: asked.or_else(|| remembered(&parts.headers)).unwrap_or_else(|| preferred(&parts.headers)),
            chosen_now: asked.is_some(),
        })
    }
}

impl Language {
    /// Marks an answer as one of several, and lets the browser remember a choice.
    pub(super) fn mark(self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        if self.chosen_now {
            headers.append(header::SET_COOKIE, cookies::set(COOKIE, self.say.code, COOKIE_S));
        }
    }
}

fn asked(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("lang="))
}

fn remembered(headers: &HeaderMap) -> Option<&'static Catalogue> {
    cookies::get(headers, COOKIE).as_deref().and_then(Catalogue::of)
}

/// The language of highest weight among those there are (RFC 9110 §12.5.4); of equal ones, the first.
fn preferred(headers: &HeaderMap) -> &'static Catalogue {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: Option<(&Catalogue, f32)> = None;
    for item in accepted.get(..ACCEPTED_MAX).unwrap_or(accepted).split(',') {
        let (range, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok()).unwrap_or(0.0);
        let primary = range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        if let Some(catalogue) = Catalogue::of(&primary)
            && weight > best.map_or(0.0, |(_, best)| best)
        {
            best = Some((catalogue, weight));
        }
    }
    best.map_or(&Catalogue::all()[0], |(catalogue, _)| catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred_of(accepted: &'static str) -> &'static str {
        preferred(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted))])).code
    }

    #[test]
    fn the_browsers_preference_counts_by_weight_then_order() {
        assert_eq!(preferred_of("de-AT, de;q=0.9, en;q=0.8"), "de");
        assert_eq!(preferred_of("pt-BR, en;q=0.2, ja;q=0.7"), "ja");
        assert_eq!(preferred_of("fr, ar"), "fr");
        assert_eq!(preferred_of("AR-eg"), "ar");
        assert_eq!(preferred_of("de;q=0, fr;q=0.1"), "fr");
        for unknown in ["", "tlh", "*", "de;q=x", ";;;,,,q=1"] {
            assert_eq!(preferred_of(unknown), "en", "{unknown}");
        }
    }
}
