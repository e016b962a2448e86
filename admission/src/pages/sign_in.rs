//! The way in, and back to where one wanted to go.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::SecretString;
use serde::Deserialize;
use shared::{
    http::cookies,
    pages::{Form, Site, local_path, page, see_other},
    problem::Problem,
};

use crate::{app::App, error::Error, operators, presented::OPERATOR_COOKIE};

/// Where operators begin.
const HOME: &str = "/ops";

#[derive(Template)]
#[template(path = "ops_sign_in.html")]
struct Page<'a> {
    site: Site,
    /// The page to go on to.
    next: &'a str,
    why: Why,
    /// As it was typed before.
    email: &'a str,
    /// The browser came by a link from elsewhere and kept the cookie to itself: a click of our own sends it.
    came_by_link: bool,
}

/// Why the form is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Missing,
    Over,
    Wrong,
}

/// The sign-in form, in place of the page that needs it.
pub(super) fn form(app: &App, next: Option<&str>, why: Why, headers: &HeaderMap) -> Response {
    let elsewhere = |value: &header::HeaderValue| value == "cross-site" || value == "same-site";
    page(&Page {
        site: app.site.clone(),
        next: own(next),
        why,
        email: "",
        came_by_link: why == Why::Missing && headers.get("sec-fetch-site").is_some_and(elsewhere),
    })
}

/// Leads to the sign-in, and after it back to `path`.
pub(crate) fn sign_in_first(path: &str) -> Response {
    see_other(&if path == HOME { HOME.to_owned() } else { format!("{HOME}?next={path}") })
}

/// On to where one wanted to go.
pub(super) fn onwards(next: Option<&str>) -> Response {
    see_other(own(next))
}

/// Whoever reloads an answer to a form.
pub(super) async fn home() -> Response {
    see_other(HOME)
}

#[derive(Deserialize)]
pub(super) struct Request {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// `POST /ops/sign-in`
pub(super) async fn sign_in(State(app): State<App>, Form(request): Form<Request>) -> Result<Response, Problem> {
    let Request { email, password, next } = request;
    let now = app.clock.now();
    let token = operators::sign_in(&app.pool, &app.passwords, &email, password, now).await.map_err(Error::from)?;
    let Some(token) = token else {
        let again = Page {
            site: app.site.clone(),
            next: own(Some(&next)),
            why: Why::Wrong,
            email: &email,
            came_by_link: false,
        };
        return Ok((StatusCode::UNAUTHORIZED, page(&again)).into_response());
    };
    let cookie = cookies::set_strict(OPERATOR_COOKIE, &token, operators::SESSION.as_secs());
    let mut response = onwards(Some(&next));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// A page of the console, or its first one.
fn own(next: Option<&str>) -> &str {
    let is_console = |path: &&str| *path == HOME || path.starts_with("/ops/") && !path.contains("/../");
    next.and_then(local_path).filter(is_console).unwrap_or(HOME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_the_console_only() {
        assert_eq!(own(Some("/ops/drops/an-evening")), "/ops/drops/an-evening");
        for elsewhere in ["https://evil.example/ops/", "//evil.example/ops", "/account", "/opsy", "/ops/../account", ""]
        {
            assert_eq!(own(Some(elsewhere)), HOME, "{elsewhere}");
        }
        assert_eq!(own(None), HOME);
    }
}
