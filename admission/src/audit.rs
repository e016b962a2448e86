//! What was done, by whom: every change an operator or the command line makes.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{FromRow, PgExecutor, PgPool};

use crate::ids::DropId;

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

/// The newest `limit` entries older than `before`, of everything or of one subject.
pub async fn list(pool: &PgPool, subject: Option<&str>, before: Option<i64>, limit: u32) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT audit_id, at, actor, action, subject, detail FROM audit \
          WHERE ($1::text IS NULL OR subject = $1) AND ($2::bigint IS NULL OR audit_id < $2) \
          ORDER BY audit_id DESC LIMIT $3",
    )
    .bind(subject)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// The rates a drop was given, newest first, up to 20: what "back to the one before" means, whoever set it.
pub(crate) async fn rates(pool: &PgPool, drop: &DropId) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar(
        "SELECT rate FROM (SELECT audit_id, \
                (coalesce(detail->'rate_per_minute', detail->'settings'->'rate_per_minute'))::integer AS rate \
           FROM audit WHERE subject = $1 AND action IN ('drop.create', 'drop.set')) AS changes \
          WHERE rate IS NOT NULL ORDER BY audit_id DESC LIMIT 20",
    )
    .bind(drop.as_str())
    .fetch_all(pool)
    .await
}

impl Row {
    fn read(self) -> Entry {
        Entry {
            audit_id: self.audit_id,
            at: self.at.to_jiff(),
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            detail: self.detail,
        }
    }
}
