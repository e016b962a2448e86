use admission::{
    code::Code,
    ids::{DropId, Place, TURNS_MAX, VisitorSecret},
    line::{Asker, DropState, PlaceState, Redeemed},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::json::{Json, Query};
use utoipa::ToSchema;

use super::{
    join::keep_in_browser,
    status::{Shown, document},
};
use crate::{
    app::App,
    document::Document,
    error::Error,
    fan::{Caller, Fan},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Move)]
pub(crate) struct Request {
    /// As the other device shows it; case, dashes and blanks do not matter.
    code: String,
}

/// Brings a place here from another device, by the code it shows.
///
/// The other device has it no more: its pass is void, and its state is `left`, its reason `moved`. Who has a live
/// place here leaves it first.
#[utoipa::path(
    post,
    path = "/queue/{drop}/move",
    params(("drop" = DropId, Path), Shown),
    request_body = Request,
    responses(
        (status = 200, description = "The place, here now", body = Document),
        (status = 401, description = "session-missing, session-invalid"),
        (status = 403, description = "place-bound"),
        (status = 404, description = "drop, code"),
        (status = 409, description = "limit"),
        (status = 429, description = "rate-limited"),
        (status = 503, description = "restoring")
    ),
    security(
        (),
        ("visitor" = []),
        ("visitor" = [], "pass" = []),
        ("session" = []),
        ("visitor" = [], "session" = []),
        ("visitor" = [], "pass" = [], "session" = [])
    )
)]
pub(crate) async fn move_place(
    State(app): State<App>,
    caller: Caller,
    Query(Shown { shown }): Query<Shown>,
    Json(Request { code }): Json<Request>,
) -> Result<Response, Error> {
    let keeps_secret = caller.keeps_secret;
    let (fan, drop, place) = take(&app, caller, &code).await?;
    let document = document(&app, &fan, &drop, &place, shown).await?;
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Json(&document)).into_response();
    if !keeps_secret {
        keep_in_browser(&document, &mut response);
    }
    Ok(response)
}

/// What handing a code in is, for the API and the waiting page alike. Who calls this counts the attempt
/// (`app.moves`): codes are not to be guessed.
pub(crate) async fn take(app: &App, caller: Caller, code: &str) -> Result<(Fan, DropState, PlaceState), Error> {
    let account = caller.account_if_required(app).await?;
    let code = Code::parse(code).ok_or(Error::UnknownCode)?;
    let visitor = caller.visitor.clone().unwrap_or_else(VisitorSecret::generate);
    let mut turn = caller.first_turn(&visitor);
    while turn < TURNS_MAX {
        let asker = Asker { own: Place::of(&caller.drop, turn, &visitor), visitor_hash: visitor.hash() };
        let (drop, redeemed) = app.line.redeem_code(&caller.drop, &code, &asker, account.as_deref()).await?;
        match redeemed {
            Redeemed::Moved(held, place) => {
                metrics::counter!("onsale_moves_total", "drop" => caller.drop.to_string()).increment(1);
                return Ok((Fan::new(caller.drop, visitor, asker.own, held), drop, place));
            }
            Redeemed::Unknown => return Err(Error::UnknownCode),
            Redeemed::Inside => return Err(Error::Inside),
            Redeemed::AnotherAccount => return Err(Error::AnotherAccount),
            Redeemed::Occupied => return Err(Error::Occupied),
            Redeemed::Ended(place) => app.line.give_up(&caller.drop, place).await?,
            Redeemed::NextTurn => turn += 1,
        }
    }
    Err(Error::TooManyTurns)
}
