//! Signed-in sessions: made here, proven by their own MAC, and ended early by a row in `revoked_sessions`.

use admission::session::Session;
use anyhow::Context as _;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use shared::http::cookies;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{app::App, error::Result};

/// The cookie that carries the session in a browser.
pub(crate) const COOKIE: &str = admission::presented::SESSION_COOKIE;

/// A session just made.
pub(crate) struct SignedIn {
    pub(crate) user_id: Uuid,
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
    /// Seconds until then.
    max_age_s: u64,
}

impl SignedIn {
    pub(super) fn now(app: &App, user_id: Uuid) -> Result<Self> {
        let max_age_s = u64::from(app.settings.session_days) * 24 * 60 * 60;
        let life = SignedDuration::from_hours(i64::from(app.settings.session_days) * 24);
        let expires_at = app.clock.now().checked_add(life).context("session_days reaches past the year 9999")?;
        let token = app.sessions.issue(user_id, expires_at);
        Ok(Self { user_id, token, expires_at, max_age_s })
    }

    pub(crate) fn cookie(&self) -> HeaderValue {
        cookies::set(COOKIE, &self.token, self.max_age_s)
    }
}

/// Ends a session before its time; a second time changes nothing.
pub(crate) async fn revoke(pool: &PgPool, session: &Session) -> Result<()> {
    sqlx::query("INSERT INTO revoked_sessions (token_hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(session.token_hash.as_slice())
        .bind(session.expires_at.to_sqlx())
        .execute(pool)
        .await?;
    Ok(())
}

pub(crate) async fn is_revoked(pool: &PgPool, session: &Session) -> Result<bool> {
    let revoked = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM revoked_sessions WHERE token_hash = $1)")
        .bind(session.token_hash.as_slice())
        .fetch_one(pool)
        .await?;
    Ok(revoked)
}

/// A revocation is of no use once the session would have ended by itself.
pub(crate) async fn forget_expired(pool: &PgPool, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM revoked_sessions WHERE expires_at < $1").bind(now.to_sqlx()).execute(pool).await?;
    Ok(())
}
