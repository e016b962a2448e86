//! Signing in and signing up on one page: what the forms send, and how they come back when something does not fit.

use admission::{ids::DropId, presented};
use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use shared::{
    http::cookies,
    pages::{self, Site},
};

use crate::{accounts::Unfit, app::App};

/// What the sign-in form sends. What is absent is empty, to be told beside its field.
#[derive(Deserialize)]
pub(crate) struct SignIn {
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) password: SecretString,
    #[serde(default)]
    pub(super) next: String,
}

/// What the sign-up form sends.
#[derive(Deserialize)]
pub(crate) struct SignUp {
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) password: SecretString,
    #[serde(default)]
    pub(super) phone: String,
    #[serde(default)]
    pub(super) next: String,
}

/// What a fan has typed and need not type again. Never the password.
#[derive(Default)]
pub(super) struct Entered {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) phone: String,
}

/// What does not fit, to be said beside its field.
pub(super) struct Fault {
    field: &'static str,
    words: &'static str,
}

impl Fault {
    pub(super) fn taken() -> Self {
        Self { field: "email", words: "There is an account with this email. Sign in instead." }
    }
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        let words = match unfit.field {
            "username" => "Tell us your name, in up to 64 characters.",
            "email" => "This is not an email address we can write to, such as fan@example.com.",
            "password" => "Choose a password of 8 to 200 characters.",
            "phone" => "A phone number has 5 to 15 digits. You can leave it empty.",
            _ => unfit.wanted,
        };
        Self { field: unfit.field, words }
    }
}

#[derive(Template)]
#[template(path = "sign-in.html")]
pub(super) struct Forms {
    site: Site,
    next: Option<String>,
    entered: Entered,
    /// In the line that the fan comes from.
    has_place: bool,
    mails: bool,
    /// The session has ended.
    pub(super) is_over: bool,
    pub(super) sign_in_fault: Option<&'static str>,
    pub(super) sign_up_fault: Option<Fault>,
}

impl Forms {
    pub(super) fn new(app: &App, headers: &HeaderMap, next: Option<String>, entered: Entered) -> Self {
        Self {
            site: app.site.clone(),
            has_place: next.as_deref().is_some_and(|next| has_place(headers, next)),
            next,
            entered,
            mails: app.notifier.sends_mail(),
            is_over: false,
            sign_in_fault: None,
            sign_up_fault: None,
        }
    }

    pub(super) fn page(&self, status: StatusCode) -> Response {
        (status, pages::page(self)).into_response()
    }

    /// What is wrong with this field of the sign-up form.
    fn fault_of(&self, field: &str) -> Option<&'static str> {
        self.sign_up_fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words)
    }

    /// Where the fan was, in words; nothing where there is nothing to be afraid of.
    fn reassurance(&self) -> Option<&'static str> {
        let next = self.next.as_deref()?;
        if next.starts_with("/queue/") && self.has_place {
            Some("You keep your place in line. You come straight back to it.")
        } else if next.starts_with("/queue/") {
            Some("You come straight back to the line. You have no place in it yet: press the button there.")
        } else if next.starts_with("/e/") || next.starts_with("/drops/") {
            Some("You keep your place in line, and your turn. You come straight back to the seats.")
        } else if next.starts_with("/checkout/") {
            Some("Your seats are kept. You come straight back to them.")
        } else {
            None
        }
    }
}

/// Whether the browser carries a place in the line of this path.
fn has_place(headers: &HeaderMap, next: &str) -> bool {
    let drop = next.strip_prefix("/queue/").and_then(|rest| DropId::parse(rest.split('?').next()?));
    drop.is_some_and(|drop| cookies::get(headers, &presented::pass_cookie(&drop)).is_some())
}
