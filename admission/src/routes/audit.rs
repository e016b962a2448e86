use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::json::{Json, Query};

use crate::{app::App, audit, error::Error, extract::SignedIn};

const PAGE_MAX: u32 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Entries older than this one.
    cursor: Option<i64>,
    limit: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct List {
    items: Vec<audit::Entry>,
    next_cursor: Option<i64>,
}

/// What was done, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    _operator: SignedIn,
    Query(page): Query<Page>,
) -> Result<Json<List>, Error> {
    let limit = page.limit.unwrap_or(50).clamp(1, PAGE_MAX);
    let items = audit::list(&app.pool, page.cursor, limit).await?;
    let full = items.len() == limit as usize;
    let next_cursor = items.last().filter(|_| full).map(|entry| entry.audit_id);
    Ok(Json(List { items, next_cursor }))
}
