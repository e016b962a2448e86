use admission::{
    ids::DropId,
    line::{Kept, PlaceState},
    mails::{Language, Wish},
};
use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use shared::json::Json;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::Error,
    fan::{Caller, Fan, ended},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Mail)]
pub(crate) struct Request {
    email: String,
    /// Language of the mail (BCP 47): en, es, fr, de, ja or ar; any other is written to in English.
    #[serde(default)]
    lang: String,
}

/// Asks for one mail when the place is called.
///
/// The address is sealed, used for this one mail, and forgotten when it is sent or the place ends. A later address
/// replaces an earlier one.
#[utoipa::path(
    post,
    path = "/queue/{drop}/mail",
    params(("drop" = DropId, Path)),
    request_body = Request,
    responses(
        (status = 204, description = "A mail will be sent"),
        (status = 403, description = "place-ended"),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 422, description = "email"),
        (status = 429, description = "rate-limited"),
        (status = 503, description = "restoring")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Json(Request { email, lang }): Json<Request>,
) -> Result<StatusCode, Error> {
    take(&app, caller, &email, &lang).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for no mail any more; the address is forgotten.
#[utoipa::path(
    delete,
    path = "/queue/{drop}/mail",
    params(("drop" = DropId, Path)),
    responses(
        (status = 204, description = "No mail will be sent"),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit"),
        (status = 503, description = "restoring")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn forget(State(app): State<App>, caller: Caller) -> Result<StatusCode, Error> {
    withdraw(&app, caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What asking for a mail is, for the API and the waiting page alike. Who calls this counts the attempt
/// (`app.mails`): nobody may have strangers written to.
pub(crate) async fn take(app: &App, caller: Caller, email: &str, lang: &str) -> Result<(), Error> {
    let wish = Wish::new(email, Language::of(lang)).ok_or(Error::MalformedEmail)?;
    let fan = holder(app, caller).await?;
    let sealed = wish.seal(&app.vault, &fan.drop, fan.place);
    match app.line.ask_mail(&fan.drop, &fan.held(), Some(&sealed)).await?.1 {
        Kept::Kept => Ok(()),
        Kept::Late => Err(Error::CalledAlready),
        Kept::Gone => Err(Error::PlaceEnded),
    }
}

/// What asking for none is.
pub(crate) async fn withdraw(app: &App, caller: Caller) -> Result<(), Error> {
    let (fan, _, place) = caller.place(app).await?;
    if place != PlaceState::Moved {
        app.line.ask_mail(&fan.drop, &fan.held(), None).await?;
    }
    Ok(())
}

async fn holder(app: &App, caller: Caller) -> Result<Fan, Error> {
    let (fan, _, place) = caller.place(app).await?;
    match place {
        PlaceState::Moved => Err(Error::PlaceMoved),
        place if ended(&place).is_some() => Err(Error::PlaceEnded),
        _ => Ok(fan),
    }
}
