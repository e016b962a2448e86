//! Email and password for a session.

use secrecy::SecretString;

use super::{sessions::SignedIn, users};
use crate::{
    app::App,
    error::{Error, Result},
};

/// Costs one password hash whether the account exists or not, so that time does not tell who has one.
///
/// # Errors
/// `Credentials`, the same for an unknown address and a wrong password.
pub(crate) async fn sign_in(app: &App, email: &str, password: SecretString) -> Result<SignedIn> {
    let Some(account) = users::by_email(&app.pool, &app.vault, email).await? else {
        app.passwords.verify_absent(password).await?;
        return Err(Error::Credentials);
    };
    if !app.passwords.verify(password, account.password).await? {
        return Err(Error::Credentials);
    }
    SignedIn::now(app, account.user_id)
}
