//! What was done, by whom: every change an operator or the command line makes.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{FromRow, PgExecutor, PgPool};

/// A line of the audit.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    pub audit_id: i64,
    pub at: Timestamp,
    /// `operator:<email>`, `cli` or `system`.
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: Value,
}

#[derive(FromRow)]
struct Row {
    audit_id: i64,
    at: jiff_sqlx::Timestamp,
    actor: String,
    action: String,
    subject: String,
    detail: Value,
}

pub async fn write<'e>(
    db: impl PgExecutor<'e>,
    actor: &str,
    action: &str,
    subject: &str,
    detail: &Value,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)")
        .bind(actor)
        .bind(action)
        .bind(subject)
        .bind(detail)
        .execute(db)
        .await?;
    Ok(())
}

/// The newest `limit` entries older than `before`.
pub async fn list(pool: &PgPool, before: Option<i64>, limit: u32) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT audit_id, at, actor, action, subject, detail FROM audit \
          WHERE $1::bigint IS NULL OR audit_id < $1 ORDER BY audit_id DESC LIMIT $2",
    )
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            audit_id: row.audit_id,
            at: row.at.to_jiff(),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        })
        .collect())
}
