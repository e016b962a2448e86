//! Server-rendered pages: what every role's pages are made of.
//!
//! A role writes askama templates that extend `base.html` (in `shared/templates`) and have a field
//! `site: Site`; [`page`] renders one for a person's eyes only, under a [`Policy`] that lets nothing inline run.
//! [`Site`] knows the operator's name for the site and where the assets are: style sheets, ES modules and
//! pictures, embedded in the binary and named by the hash of all of them.

mod assets;
mod form;
mod policy;
mod problem_page;
mod site;
mod way;

use ::http::{HeaderValue, header};
use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};

pub(crate) use self::problem_page::ProblemPage;
pub use self::{
    assets::Set,
    form::Form,
    policy::Policy,
    site::Site,
    way::{local_path, see_other},
};
use crate::problem::Problem;

/// A page for one person: kept by nobody, under the strict default [`Policy`].
///
/// A template that cannot be rendered is a mistake of ours: problem 500.
pub fn page(template: &impl Template) -> Response {
    match render(template) {
        Ok(html) => ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Html(html)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// The page's text, for those who answer it in a way of their own.
///
/// # Errors
/// Problem 500 when the template fails.
pub fn render(template: &impl Template) -> Result<String, Problem> {
    template.render().map_err(Problem::internal)
}

/// The assets every role's pages share: the style sheet, small modules, icons.
pub fn assets() -> Set {
    #[derive(rust_embed::Embed)]
    #[folder = "assets/"]
    struct Embedded;
    Set::of::<Embedded>("shared")
}
