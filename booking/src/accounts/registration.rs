//! A new account, checked before anything costly happens.

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    sessions::SignedIn,
    users::{self, NewUser},
};
use crate::{
    app::App,
    error::{Error, Result},
};

const USERNAME_MAX_CHARS: usize = 64;
const PASSWORD_MIN_CHARS: usize = 8;
const PASSWORD_MAX_CHARS: usize = 200;
/// RFC 5321, 4.5.3.1.3, without the angle brackets.
const EMAIL_MAX_BYTES: usize = 254;
/// E.164 has at most 15 digits; shorter than five is no subscriber.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

/// What a fan gave, known to be well formed. Not `Debug`: nearly all of it is personal.
pub(crate) struct Registration {
    username: String,
    /// Trimmed, the case as given.
    email: String,
    password: SecretString,
    /// Digits with an optional leading `+`.
    phone: Option<String>,
}

impl Registration {
    /// # Errors
    /// The first field that does not fit, never what was in it.
    pub(crate) fn new(
        username: &str,
        email: &str,
        password: SecretString,
        phone: Option<&str>,
    ) -> std::result::Result<Self, Unfit> {
        let username = username.trim();
        if !(1..=USERNAME_MAX_CHARS).contains(&username.chars().count()) || username.chars().any(char::is_control) {
            return Err(unfit("username", "1 to 64 characters"));
        }
        let email = email.trim();
        if !looks_like_email(email) {
            return Err(unfit("email", "an address such as fan@example.com"));
        }
        let length = password.expose_secret().chars().count();
        if !(PASSWORD_MIN_CHARS..=PASSWORD_MAX_CHARS).contains(&length) {
            return Err(unfit("password", "8 to 200 characters"));
        }
        let phone = phone.map(str::trim).filter(|phone| !phone.is_empty()).map(normal_phone).transpose()?;
        Ok(Self { username: username.to_owned(), email: email.to_owned(), password, phone })
    }
}

/// A field that cannot be taken, and what would be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {wanted}")]
pub(crate) struct Unfit {
    pub(crate) field: &'static str,
    pub(crate) wanted: &'static str,
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Error::WrongType(unfit.to_string())
    }
}

/// Makes the account and signs the fan in: one password hash for both.
///
/// # Errors
/// `EmailTaken` when the address has an account.
pub(crate) async fn register(app: &App, registration: Registration) -> Result<SignedIn> {
    let user_id = Uuid::now_v7();
    let password = app.passwords.hash(registration.password).await?;
    let user = NewUser {
        user_id,
        username: registration.username,
        password,
        email: registration.email,
        phone: registration.phone,
    };
    users::insert(&app.pool, &app.vault, &user).await?;
    SignedIn::now(app, user_id)
}

fn unfit(field: &'static str, wanted: &'static str) -> Unfit {
    Unfit { field, wanted }
}

/// Shape only: whether the address exists is for its mail server to say. What the mailer
/// could not read has no account: its tickets would never leave.
fn looks_like_email(email: &str) -> bool {
    let odd =
        |character: char| character.is_whitespace() || character.is_control() || "<>(),;:\"[]\\@".contains(character);
    let Some((local, domain)) = email.split_once('@') else { return false };
    email.len() <= EMAIL_MAX_BYTES
        && !local.is_empty()
        && !local.contains(odd)
        && !domain.contains(odd)
        && domain.split('.').all(|label| !label.is_empty())
        && email.parse::<lettre::Address>().is_ok()
}

/// Without the spaces and punctuation people put between digits.
fn normal_phone(phone: &str) -> std::result::Result<String, Unfit> {
    let normal: String = phone.chars().filter(|character| !" -.()/".contains(*character)).collect();
    let digits = normal.strip_prefix('+').unwrap_or(&normal);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && PHONE_DIGITS.contains(&digits.len()) {
        Ok(normal)
    } else {
        Err(unfit("phone", "5 to 15 digits, with a leading + for a country code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(username: &str, email: &str, password: &str, phone: Option<&str>) -> &'static str {
        match Registration::new(username, email, password.to_owned().into(), phone) {
            Err(unfit) => unfit.field,
            Ok(_) => "fine",
        }
    }

    #[test]
    fn every_field_has_its_bounds() {
        assert_eq!(with(" Ada ", " Ada@Example.com ", "8letters", Some("+1 (212) 555-0100")), "fine");
        assert_eq!(with("a", "a@localhost", &"ü".repeat(200), None), "fine");
        for username in ["", "   ", &"x".repeat(65), "a\nb"] {
            assert_eq!(with(username, "a@b.c", "8letters", None), "username", "{username:?}");
        }
        for password in ["", "7letter", &"x".repeat(201)] {
            assert_eq!(with("a", "a@b.c", password, None), "password", "{password:?}");
        }
        for phone in ["x", "123", "+", "12345678901234567", "+1+2345678"] {
            assert_eq!(with("a", "a@b.c", "8letters", Some(phone)), "phone", "{phone:?}");
        }
    }

    #[test]
    fn an_address_has_two_sides_and_no_oddities() {
        let long_local = format!("{}@b.c", "a".repeat(65));
        let long = format!("{}@b.c", "a".repeat(251));
        for email in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "a@b..c",
            "a@.b",
            "a@b.",
            "<a@b.c>",
            "a@b.c\r\nBcc: x@y.z",
            "a..b@c.d",
            ".a@b.c",
            "a@-b.c",
            &long_local,
            &long,
        ] {
            assert_eq!(with("a", email, "8letters", None), "email", "{email:?}");
        }
    }
}
