use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::json::{Json, Query};
use utoipa::{IntoParams, ToSchema};

use crate::{app::App, audit, error::Error, extract::SignedIn};

const PAGE_MAX: u32 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Entries older than this one.
    cursor: Option<i64>,
    /// 1 to 200; 50 by default.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct List {
    items: Vec<audit::Entry>,
    #[schema(required)]
    next_cursor: Option<i64>,
}

/// What was done, newest first.
#[utoipa::path(
    get,
    path = "/ops/api/audit",
    operation_id = "list_audit",
    params(Page),
    responses((status = 200, description = "A page", body = List)),
    security(("operator" = []))
)]
pub(crate) async fn list(
    State(app): State<App>,
    _operator: SignedIn,
    Query(page): Query<Page>,
) -> Result<Json<List>, Error> {
    let limit = page.limit.unwrap_or(50).clamp(1, PAGE_MAX);
    let items = audit::list(&app.pool, None, page.cursor, limit).await?;
    let full = items.len() == limit as usize;
    let next_cursor = items.last().filter(|_| full).map(|entry| entry.audit_id);
    Ok(Json(List { items, next_cursor }))
}
