//! Rows of `users`. Personal fields go in and come out through the vault, here and nowhere else.

use shared::{postgres, vault::Vault};
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::{Error, Result};

pub(super) struct NewUser {
    pub(super) user_id: Uuid,
    pub(super) username: String,
    /// PHC string.
    pub(super) password: String,
    pub(super) email: String,
    pub(super) phone: Option<String>,
}

/// What signing in needs to know.
#[derive(sqlx::FromRow)]
pub(super) struct Credentials {
    pub(super) user_id: Uuid,
    /// PHC string.
    pub(super) password: String,
}

/// # Errors
/// `EmailTaken` when another account has the address.
pub(super) async fn insert(pool: &PgPool, vault: &Vault, user: &NewUser) -> Result<()> {
    let phone = user.phone.as_deref();
    sqlx::query(
        "INSERT INTO users (user_id, username, password, email, email_index, phone, phone_index)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(user.user_id)
    .bind(&user.username)
    .bind(&user.password)
    .bind(vault.seal(&email_context(user.user_id), user.email.as_bytes()))
    .bind(email_index(vault, &user.email))
    .bind(phone.map(|phone| vault.seal(&phone_context(user.user_id), phone.as_bytes())))
    .bind(phone.map(|phone| vault.blind_index("users.phone", phone).to_vec()))
    .execute(pool)
    .await
    .map_err(|error| match postgres::constraint(&error) {
        Some("users_email_index") => Error::EmailTaken,
        _ => error.into(),
    })?;
    Ok(())
}

pub(super) async fn by_email(pool: &PgPool, vault: &Vault, email: &str) -> Result<Option<Credentials>> {
    let found = sqlx::query_as("SELECT user_id, password FROM users WHERE email_index = $1")
        .bind(email_index(vault, email))
        .fetch_optional(pool)
        .await?;
    Ok(found)
}

/// What the fan wants to be called.
pub(crate) async fn username(pool: &PgPool, user_id: Uuid) -> Result<Option<String>> {
    let found =
        sqlx::query_scalar("SELECT username FROM users WHERE user_id = $1").bind(user_id).fetch_optional(pool).await?;
    Ok(found)
}

/// One spelling per mailbox, as far as mail servers agree: no spaces around, lower case.
fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

fn email_index(vault: &Vault, email: &str) -> Vec<u8> {
    vault.blind_index("users.email", &normal_email(email)).to_vec()
}

fn email_context(user_id: Uuid) -> String {
    format!("users.email:{user_id}")
}

fn phone_context(user_id: Uuid) -> String {
    format!("users.phone:{user_id}")
}
