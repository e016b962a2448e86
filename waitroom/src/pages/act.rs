//! `POST /queue/{drop}`: what a button of the waiting page does. Answers 303 to a page; 307 to itself once, for who
//! comes without a cookie.

use admission::{
    ids::{DropId, VisitorSecret},
    presented::admission_cookie,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use shared::{
    client_address::ClientAddress,
    http::cookies,
    json::Query,
    pages::{Form, see_other},
    problem::Problem,
};

use super::{
    language::Language,
    show,
    shown::{Memory, address, saying, with_cookie},
    views::ShownCode,
};
use crate::{
    app::App,
    document::Document,
    error::Error,
    fan::Caller,
    routes::{
        claim, code,
        join::{self, Taken, keep_in_browser, keep_visitor},
        leave, mail, move_place,
        status::document,
    },
};

/// How long the admission's cookie outlives the admission, in seconds: who comes too late is told that the time
/// is over, not that it never came.
const AFTERWARDS_S: u64 = 3_600;

#[derive(Deserialize)]
pub(super) struct Pressed {
    #[serde(rename = "do")]
    button: Button,
    /// The code of [`Button::Move`].
    #[serde(default)]
    code: String,
    /// The address of [`Button::Mail`].
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Button {
    Join,
    /// Gives up an ended place for a new one at the end.
    Again,
    Claim,
    /// Takes the admission along to the seats.
    Enter,
    Leave,
    /// Asks for the code that moves the place to another device.
    Code,
    /// Brings a place here by such a code.
    Move,
    Mail,
    MailOff,
}

pub(super) async fn act(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    language: Language,
    caller: Caller,
    Query(memory): Query<Memory>,
    Form(Pressed { button, code, email }): Form<Pressed>,
) -> Result<Response, Problem> {
    let drop = caller.drop.clone();
    if let Button::Join | Button::Again | Button::Move = button
        && caller.visitor.is_none()
    {
        return Ok(first_a_cookie(&drop, &memory));
    }
    match button {
        Button::Join | Button::Again => app.joins.check(from)?,
        Button::Code => app.codes.check(from)?,
        Button::Move => app.moves.check(from)?,
        Button::Mail => app.mails.check(from)?,
        Button::Claim | Button::Enter | Button::Leave | Button::MailOff => {}
    }
    let back = memory.address(&drop);
    let outcome = match button {
        Button::Join => join(&app, caller, false, &memory).await,
        Button::Again => join(&app, caller, true, &memory).await,
        Button::Claim => claim(&app, caller, &memory).await,
        Button::Enter => enter(&app, caller, &memory).await,
        Button::Leave => leave::give_up(&app, caller).await.map(|()| here(&drop)),
        Button::Code => show_code(&app, language, caller, &memory).await,
        Button::Move => bring_here(&app, caller, &code, &memory).await,
        Button::Mail => mail::take(&app, caller, &email, language.say.code).await.map(|()| see_other(&back)),
        Button::MailOff => mail::withdraw(&app, caller).await.map(|()| see_other(&back)),
    };
    match outcome {
        Ok(response) => Ok(response),
        // pressed on a page that was true a moment ago: the page says how it is now
        Err(Error::UnknownPlace | Error::PlaceEnded | Error::PlaceMoved | Error::CalledAlready | Error::Inside) => {
            Ok(here(&drop))
        }
        Err(Error::UnknownCode) => Ok(see_other(&saying(&back, "code-wrong"))),
        Err(Error::MalformedEmail) => Ok(see_other(&saying(&back, "mail-wrong"))),
        Err(Error::SessionMissing | Error::Session(_)) => Ok(see_other(&format!("/account?next=/queue/{drop}"))),
        Err(error) => Err(error.into()),
    }
}

/// Nobody joins before their browser has shown the secret that makes the place: the same press sent twice would
/// take two places, and the first would be called for nobody.
fn first_a_cookie(drop: &DropId, memory: &Memory) -> Response {
    if memory.given_a_cookie() {
        return see_other(&with_cookie(drop)); // the page says what is missing
    }
    let headers = [(header::LOCATION, with_cookie(drop)), (header::CACHE_CONTROL, "no-store".to_owned())];
    let mut response = (StatusCode::TEMPORARY_REDIRECT, headers).into_response(); // 307: the press is sent again
    keep_visitor(&VisitorSecret::generate().expose(), &mut response);
    response
}

async fn join(app: &App, caller: Caller, again: bool, memory: &Memory) -> Result<Response, Error> {
    let keeps_secret = caller.keeps_secret;
    let Taken { fan, drop, place, .. } = join::take(app, &caller, again).await?;
    let document = document(app, &fan, &drop, &place, memory.shown(fan.place)).await?;
    let mut response = see_other(&address_of(&document, memory));
    if !keeps_secret {
        keep_in_browser(&document, &mut response);
    }
    Ok(response)
}

async fn claim(app: &App, caller: Caller, memory: &Memory) -> Result<Response, Error> {
    let (fan, drop, place) = claim::take(app, caller).await?;
    let document = document(app, &fan, &drop, &place, memory.shown(fan.place)).await?;
    Ok(inside(app, &document, &drop.events).unwrap_or_else(|| see_other(&address_of(&document, memory))))
}

async fn enter(app: &App, caller: Caller, memory: &Memory) -> Result<Response, Error> {
    let (fan, drop, place) = caller.place(app).await?;
    let document = document(app, &fan, &drop, &place, memory.shown(fan.place)).await?;
    Ok(inside(app, &document, &drop.events).unwrap_or_else(|| see_other(&address_of(&document, memory))))
}

/// The page with a code on it, as the answer itself: a code in an address would stay in the browser's history.
async fn show_code(app: &App, language: Language, caller: Caller, memory: &Memory) -> Result<Response, Error> {
    let code = code::take(app, caller.clone()).await?;
    let code = ShownCode { code: code.code, expires_at: code.expires_at };
    show::here(app, language, caller, memory, Some(code)).await
}

async fn bring_here(app: &App, caller: Caller, code: &str, memory: &Memory) -> Result<Response, Error> {
    let keeps_secret = caller.keeps_secret;
    let (fan, drop, place) = move_place::take(app, caller, code).await?;
    let document = document(app, &fan, &drop, &place, None).await?;
    let mut response = see_other(&address_of(&document, memory));
    if !keeps_secret {
        keep_in_browser(&document, &mut response);
    }
    Ok(response)
}

/// To the seats, the admission in a cookie; `None` without an admission.
fn inside(app: &App, document: &Document, events: &[String]) -> Option<Response> {
    let admission = document.admission.as_ref()?;
    let drop = &document.drop;
    let seats = match events {
        [event] => format!("/e/{event}/seats"),
        _ => format!("/drops/{drop}"),
    };
    let lasts_s = admission.expires_at.duration_since(app.clock.now()).as_secs();
    let max_age_s = u64::try_from(lasts_s).unwrap_or(0) + AFTERWARDS_S;
    let cookie = cookies::set(&admission_cookie(drop), &admission.token, max_age_s);
    Some(([(header::SET_COOKIE, cookie)], see_other(&seats)).into_response())
}

fn here(drop: &DropId) -> Response {
    see_other(&format!("/queue/{drop}"))
}

fn address_of(document: &Document, memory: &Memory) -> String {
    address(&document.drop, document.place, document.position, memory)
}
