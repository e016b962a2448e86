//! A problem as a page, for people: whoever navigates with a browser should not read JSON.

use ::http::{HeaderMap, HeaderValue, Method, Request, header};
use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};

use super::{Site, render};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    site: Site,
    status: u16,
    title: &'a str,
    detail: Option<&'a str>,
    /// Seconds after which the page asks again by itself.
    retry_after_s: Option<u64>,
}

/// What a browser's navigation is answered instead of a problem document: a page, with the same status and headers.
pub(crate) struct ProblemPage {
    may_repeat: bool,
}

impl ProblemPage {
    /// `None` where the answer is for a program.
    pub(crate) fn asked_for<B>(request: &Request<B>) -> Option<Self> {
        navigates(request.headers()).then(|| Self { may_repeat: request.method() == Method::GET })
    }

    pub(crate) fn instead_of(&self, response: Response, site: &Site) -> Response {
        let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
        let page = Page {
            site: site.clone(),
            status: problem.status().as_u16(),
            title: problem.title(),
            // some details only say the title again
            detail: problem.told_detail().filter(|detail| !detail.eq_ignore_ascii_case(problem.title())),
            retry_after_s: problem.waits_s().filter(|_| self.may_repeat),
        };
        let Ok(html) = render(&page) else { return response };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let body = Html(html).into_response().into_body();
        Response::from_parts(parts, body)
    }
}

/// Whether a browser is about to show the answer (Fetch Metadata, or an old browser's `Accept`).
fn navigates(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => text("accept").is_some_and(|accepted| accepted.contains("text/html")),
    }
}
