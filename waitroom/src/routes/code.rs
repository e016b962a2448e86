use admission::{
    code::Code,
    ids::DropId,
    line::{Issued, PlaceState},
};
use axum::{extract::State, http::header, response::IntoResponse};
use jiff::Timestamp;
use serde::Serialize;
use shared::json::Json;
use utoipa::ToSchema;

use crate::{
    app::App,
    document::timestamp,
    error::Error,
    fan::{Caller, ended},
};

/// Tries at a code that no other place has; each fails once in 22 billion.
const TRIES_MAX: usize = 3;

/// A code that moves the place to another device.
#[derive(Serialize, ToSchema)]
pub(crate) struct MoveCode {
    /// As it is read out: ABCDE-FGHJK. Case, dashes and blanks do not matter where it is typed.
    pub(crate) code: String,
    pub(crate) expires_at: Timestamp,
}

/// A short-lived code that moves the place to another device.
///
/// It works once, for three minutes; a new one makes the one before void. The place stays here until the code is
/// handed in there, and is there alone afterwards. Once claimed, a place stays with its device.
#[utoipa::path(
    post,
    path = "/queue/{drop}/code",
    params(("drop" = DropId, Path)),
    responses(
        (status = 200, description = "The code", body = MoveCode),
        (status = 401, description = "session-missing, session-invalid"),
        (status = 403, description = "place-ended"),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 429, description = "rate-limited"),
        (status = 503, description = "restoring")
    ),
    security(
        ("visitor" = []),
        ("visitor" = [], "pass" = []),
        ("visitor" = [], "session" = []),
        ("visitor" = [], "pass" = [], "session" = [])
    )
)]
pub(crate) async fn code(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, Error> {
    let code = take(&app, caller).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(code)))
}

/// What asking for a code is, for the API and the waiting page alike.
pub(crate) async fn take(app: &App, caller: Caller) -> Result<MoveCode, Error> {
    let account = caller.account_if_required(app).await?;
    let (fan, _, place) = caller.place(app).await?;
    if ended(&place).is_some() {
        return Err(Error::PlaceEnded);
    }
    if place == PlaceState::Moved {
        return Err(Error::PlaceMoved);
    }
    for _ in 0..TRIES_MAX {
        let code = Code::generate();
        let (_, issued) = app.line.issue_code(&fan.drop, &fan.held(), &code, account.as_deref()).await?;
        return match issued {
            Issued::Until(until) => Ok(MoveCode { code: code.expose(), expires_at: timestamp(until)? }),
            Issued::Clash => continue,
            Issued::Gone => Err(Error::PlaceEnded),
            Issued::Inside => Err(Error::Inside),
            Issued::TooOften => Err(Error::MovedTooOften),
            Issued::Full => Err(Error::TooManyCodes),
        };
    }
    Err(Error::TooManyCodes)
}
