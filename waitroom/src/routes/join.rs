use admission::{
    ids::{DropId, Place, TURNS_MAX, VisitorSecret},
    line::{BatchError, DropState, Joined, Newcomer, PlaceState},
    presented::VISITOR_COOKIE,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    http::cookies,
    json::{Json, OptionalJson, Query},
};
use utoipa::ToSchema;

use super::status::{Shown, document};
use crate::{
    app::App,
    document::Document,
    error::Error,
    fan::{Caller, Fan, ended, pass_cookie},
};

/// How long a browser keeps the secret and the pass, in seconds: longer than any drop runs.
const COOKIE_S: u64 = 30 * 86_400;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Join)]
pub(crate) struct Request {
    /// Gives up an ended place for a new one at the end of the line.
    #[serde(default)]
    again: bool,
}

/// Takes a place, or finds the one this visitor has.
///
/// Without a visitor secret the server makes one; repeating such a request takes another place. Signing in is
/// needed where the drop asks for an account.
#[utoipa::path(
    post,
    path = "/queue/{drop}/join",
    params(("drop" = DropId, Path), Shown),
    request_body = Option<Request>,
    responses(
        (status = 200, description = "The place this visitor had already", body = Document),
        (status = 201, description = "A new place", body = Document),
        (status = 403, description = "place-bound"),
        (status = 404, description = "drop"),
        (status = 409, description = "limit, not-on-sale"),
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
pub(crate) async fn join(
    State(app): State<App>,
    caller: Caller,
    Query(Shown { shown }): Query<Shown>,
    OptionalJson(request): OptionalJson<Request>,
) -> Result<Response, Error> {
    let crowd = match app.crowds.of(&caller.drop).await {
        // lost and not yet restored: whoever holds our pass knows that the drop exists
        Err(Error::UnknownDrop) if caller.pass.is_some() => return Err(Error::Batch(BatchError::Restoring)),
        crowd => crowd?,
    };
    let tick = crowd.tick();
    let account = match tick.drop.account_required {
        true => Some(caller.account(&app)?.user_id.to_string()),
        false => None,
    };
    let keeps_secret = caller.keeps_secret;
    let (fan, drop, joined) = take_place(&app, caller, account, request.again).await?;
    let (status, place) = match joined {
        Joined::New(place) => (StatusCode::CREATED, place),
        Joined::Known(place) => (StatusCode::OK, place),
        Joined::AccountBound => return Err(Error::AccountBound),
        Joined::Over => return Err(Error::DropOver),
    };
    metrics::counter!("onsale_joins_total", "drop" => fan.drop.to_string(), "known" => (status == StatusCode::OK).to_string())
        .increment(1);
    let document = document(&app, &fan, &drop, &place, shown).await?;
    let no_store = (header::CACHE_CONTROL, "no-store".parse().expect("a constant is a header value"));
    if keeps_secret {
        return Ok((status, AppendHeaders([no_store]), Json(document)).into_response());
    }
    let headers = AppendHeaders([
        no_store,
        (header::SET_COOKIE, cookies::set(VISITOR_COOKIE, &document.visitor, COOKIE_S)),
        (header::SET_COOKIE, cookies::set(&pass_cookie(&fan.drop), &document.pass, COOKIE_S)),
    ]);
    Ok((status, headers, Json(document)).into_response())
}

/// Joins at the visitor's turn: the first, or the one after all that were given up.
async fn take_place(
    app: &App,
    caller: Caller,
    account: Option<String>,
    mut again: bool,
) -> Result<(Fan, DropState, Joined), Error> {
    let visitor = caller.visitor.clone().unwrap_or_else(VisitorSecret::generate);
    let generation = caller.pass.as_ref().map_or(0, |pass| pass.generation);
    for turn in caller.first_turn(&visitor)..TURNS_MAX {
        let place = Place::of(&caller.drop, turn, &visitor);
        let who = Newcomer { place, receipt: caller.receipt(place), account: account.clone() };
        let (drop, joined) = app.batcher.join(&caller.drop, who).await?;
        match joined {
            Joined::Known(PlaceState::Ended { given_up: true, .. }) => {}
            Joined::Known(state) if again && ended(&state).is_some() => {
                app.line.give_up(&caller.drop, place).await?;
                again = false;
            }
            joined => return Ok((Fan { drop: caller.drop, visitor, place, generation }, drop, joined)),
        }
    }
    Err(Error::TooManyTurns)
}
