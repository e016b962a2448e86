use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;
use shared::{
    json::Query,
    pages::{Site, page},
    problem::Problem,
};

use super::words::{Told, tell};
use crate::{app::App, audit, error::Error, extract::OnPage};

/// Entries a page.
const LIMIT: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Place {
    /// Entries older than this one.
    cursor: Option<i64>,
}

#[derive(Template)]
#[template(path = "ops_audit.html")]
struct Page<'a> {
    site: Site,
    operator: &'a str,
    entries: Vec<Told>,
    /// Older entries follow this one.
    older: Option<i64>,
    is_newest: bool,
}

/// `GET /ops/audit`: what was done, newest first.
pub(super) async fn show(
    State(app): State<App>,
    OnPage(operator): OnPage,
    Query(Place { cursor }): Query<Place>,
) -> Result<Response, Problem> {
    let entries = audit::list(&app.pool, None, cursor, LIMIT).await.map_err(Error::from)?;
    let is_full = entries.len() == LIMIT as usize;
    Ok(page(&Page {
        site: app.site.clone(),
        operator: &operator.email,
        older: entries.last().filter(|_| is_full).map(|entry| entry.audit_id),
        entries: entries.into_iter().map(tell).collect(),
        is_newest: cursor.is_none(),
    }))
}
