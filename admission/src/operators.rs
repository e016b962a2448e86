//! Who runs drops: accounts of their own, apart from fans'.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use secrecy::SecretString;
use shared::encoding::{base64url, from_base64url_exact, random, sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::password::Passwords;

/// A working day.
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 3_600);

/// A signed-in operator.
#[derive(Debug, Clone)]
pub struct Operator {
    pub operator_id: Uuid,
    pub email: String,
}

impl Operator {
    /// As the audit names them.
    pub fn actor(&self) -> String {
        format!("operator:{}", self.email)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("an operator of that address exists")]
    Exists,
    #[error("that is not an e-mail address")]
    Email,
    #[error("a password has 8 to 200 characters")]
    Password,
    #[error("the operators cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the password could not be worked on")]
    Hash(#[source] anyhow::Error),
}

/// A password nobody has to think up: 96 random bits.
pub fn one_time_password() -> SecretString {
    base64url(&random::<12>()).into()
}

pub async fn add(
    pool: &PgPool,
    passwords: &Passwords,
    email: &str,
    password: SecretString,
) -> Result<Uuid, OperatorError> {
    use secrecy::ExposeSecret as _;
    let email = email.trim().to_lowercase();
    let has_shape =
        email.len() <= 254 && email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if !has_shape {
        return Err(OperatorError::Email);
    }
    if !(8..=200).contains(&password.expose_secret().chars().count()) {
        return Err(OperatorError::Password);
    }
    let hash = passwords.hash(password).await.map_err(OperatorError::Hash)?;
    let operator_id = Uuid::now_v7();
    let mut tx = pool.begin().await?;
    sqlx::query("INSERT INTO operators (operator_id, email, password) VALUES ($1, $2, $3)")
        .bind(operator_id)
        .bind(&email)
        .bind(hash)
        .execute(&mut *tx)
        .await
        .map_err(|error| match shared::postgres::constraint(&error) {
            Some("operators_email_key") => OperatorError::Exists,
            _ => OperatorError::Database(error),
        })?;
    crate::audit::write(&mut *tx, "cli", "operator.add", &email, &serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(operator_id)
}

/// A session token, or `None` when address and password do not match; both take the same work.
pub async fn sign_in(
    pool: &PgPool,
    passwords: &Passwords,
    email: &str,
    password: SecretString,
    now: Timestamp,
) -> Result<Option<String>, OperatorError> {
    let found: Option<(Uuid, String)> =
        sqlx::query_as("SELECT operator_id, password FROM operators WHERE email = $1 AND disabled_at IS NULL")
            .bind(email.trim().to_lowercase())
            .fetch_optional(pool)
            .await?;
    let Some((operator_id, stored)) = found else {
        passwords.verify_absent(password).await.map_err(OperatorError::Hash)?;
        return Ok(None);
    };
    if !passwords.verify(password, stored).await.map_err(OperatorError::Hash)? {
        return Ok(None);
    }
    let token: [u8; 32] = random();
    sqlx::query("INSERT INTO operator_sessions (token_hash, operator_id, expires_at) VALUES ($1, $2, $3)")
        .bind(&sha256(&[&token])[..])
        .bind(operator_id)
        .bind((now + SESSION).to_sqlx())
        .execute(pool)
        .await?;
    Ok(Some(base64url(&token)))
}

/// Ends a session: its token is of no use to anybody afterwards. Sessions that are over by themselves go with it.
pub async fn sign_out(pool: &PgPool, token: &str, now: Timestamp) -> Result<(), OperatorError> {
    let token_hash = from_base64url_exact::<32>(token).map(|token| sha256(&[&token]));
    sqlx::query("DELETE FROM operator_sessions WHERE token_hash = $1 OR expires_at <= $2")
        .bind(token_hash.as_ref().map(|hash| &hash[..]))
        .bind(now.to_sqlx())
        .execute(pool)
        .await?;
    Ok(())
}

/// The operator a token belongs to.
pub async fn signed_in(pool: &PgPool, token: &str, now: Timestamp) -> Result<Option<Operator>, OperatorError> {
    let Some(token) = from_base64url_exact::<32>(token) else {
        return Ok(None);
    };
    let found: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT o.operator_id, o.email FROM operator_sessions s JOIN operators o USING (operator_id) \
          WHERE s.token_hash = $1 AND s.expires_at > $2 AND o.disabled_at IS NULL",
    )
    .bind(&sha256(&[&token])[..])
    .bind(now.to_sqlx())
    .fetch_optional(pool)
    .await?;
    Ok(found.map(|(operator_id, email)| Operator { operator_id, email }))
}
