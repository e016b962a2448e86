//! "Mail me when it is my turn": the wish, and the job that finds whose turn has come.
//!
//! The waitroom leaves a sealed address in Redis. Each second this job reads what happened in a line, copies new
//! wishes to Postgres (so that they outlive Redis), and notes those called: booking's notifier takes them from there.
//! The address is gone from Redis when the place is called or over, and from Postgres when the mail is sent or the
//! place is over. It is never logged.

mod job;
mod rows;

use serde::{Deserialize, Serialize};
use shared::vault::{Vault, VaultError};

use crate::ids::{DropId, Place};

pub(crate) use job::put_back;
pub use job::{Mails, MailsError};

/// RFC 5321, section 4.5.3.1.3.
const EMAIL_MAX_BYTES: usize = 254;

/// A language mails are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    En,
    Es,
    Fr,
    De,
    Ja,
    Ar,
}

impl Language {
    pub const ALL: [Self; 6] = [Self::En, Self::Es, Self::Fr, Self::De, Self::Ja, Self::Ar];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
            Self::Fr => "fr",
            Self::De => "de",
            Self::Ja => "ja",
            Self::Ar => "ar",
        }
    }

    /// The language of a tag (BCP 47) by its first part; English for all that there is no mail in.
    pub fn of(tag: &str) -> Self {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.as_str().eq_ignore_ascii_case(primary)).unwrap_or(Self::En)
    }
}

/// Whom to write to, and in which language.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub email: String,
    pub lang: Language,
}

impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wish([REDACTED])")
    }
}

/// Why a wish cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    #[error("the address does not open")]
    Vault(#[from] VaultError),
    #[error("what was sealed is no wish")]
    Malformed,
}

impl Wish {
    /// `None` when the text has not the shape of an address; whether it exists is for its mail server to say.
    pub fn new(email: &str, lang: Language) -> Option<Self> {
        let email = email.trim();
        looks_like_email(email).then(|| Self { email: email.to_owned(), lang })
    }

    /// For one place of one drop; it opens nowhere else.
    pub fn seal(&self, vault: &Vault, drop: &DropId, place: Place) -> Vec<u8> {
        let plain = serde_json::json!(self).to_string();
        vault.seal(&context(drop, place), plain.as_bytes())
    }

    pub fn open(vault: &Vault, drop: &DropId, place: Place, sealed: &[u8]) -> Result<Self, WishError> {
        let plain = vault.open(&context(drop, place), sealed)?;
        // the cause would quote the address
        serde_json::from_slice(&plain).map_err(|_| WishError::Malformed)
    }
}

fn context(drop: &DropId, place: Place) -> String {
    format!("turn_mails.sealed:{drop}:{place}")
}

fn looks_like_email(email: &str) -> bool {
    let odd =
        |character: char| character.is_whitespace() || character.is_control() || "<>(),;:\"[]\\@".contains(character);
    let Some((local, domain)) = email.split_once('@') else { return false };
    email.len() <= EMAIL_MAX_BYTES
        && !local.is_empty()
        && local.len() <= 64
        && local.split('.').all(|atom| !atom.is_empty())
        && !local.contains(odd)
        && !domain.contains(odd)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use shared::keyring::Keyring;

    use super::*;

    #[test]
    fn a_wish_opens_for_its_own_place_only_and_is_never_printed() {
        let vault = Vault::new(&Keyring::new(vec![[1; 32]], [2; 32]).unwrap());
        let drop = DropId::parse("d").unwrap();
        let (place, other) = (Place::from_bytes([1; 16]), Place::from_bytes([2; 16]));
        let wish = Wish::new(" ada@fans.example ", Language::of("de-AT")).unwrap();
        assert_eq!((wish.email.as_str(), wish.lang), ("ada@fans.example", Language::De));
        let sealed = wish.seal(&vault, &drop, place);
        assert_eq!(Wish::open(&vault, &drop, place, &sealed).unwrap(), wish);
        assert!(Wish::open(&vault, &drop, other, &sealed).is_err());
        assert!(!format!("{wish:?}").contains("ada"));
    }

    #[test]
    fn an_address_has_two_sides_and_no_oddities() {
        let long = format!("a@{}.example", "b".repeat(250));
        for odd in
            ["", "a", "@b.c", "a@", "a@b", "a b@c.d", "a@b@c.d", "a..b@c.d", "a@b..c", "a@-b.c", "<a@b.c>", &long]
        {
            assert_eq!(Wish::new(odd, Language::En), None, "{odd}");
        }
        assert_eq!(Wish::new("a@b.c\r\nBcc: x@y.z", Language::En), None);
        assert!(Wish::new("ada.l+tag@fans.example", Language::En).is_some());
    }

    #[test]
    fn a_language_without_a_mail_is_written_to_in_english() {
        assert_eq!(["ja", "AR-eg", "pt-BR", ""].map(Language::of).map(Language::as_str), ["ja", "ar", "en", "en"]);
    }
}
