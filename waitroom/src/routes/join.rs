use std::sync::Arc;

use admission::{
    ids::{DropId, Place, TURNS_MAX, VisitorSecret},
    line::{Asker, DropState, Joined, Newcomer, PlaceState},
    presented::{self, VISITOR_COOKIE},
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    http::cookies,
    json::{Json, OptionalJson, Query},
};
use utoipa::ToSchema;

use super::status::{Shown, document_in};
use crate::{
    app::App,
    crowd::Crowd,
    document::Document,
    error::Error,
    fan::{Caller, Fan, ended},
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
    let Taken { fan, drop, place, is_new, crowd } = take(&app, &caller, request.again).await?;
    let document = document_in(&app, &crowd, &fan, &drop, &place, shown)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(&document)).into_response();
    if !caller.keeps_secret {
        keep_in_browser(&document, &mut response);
    }
    Ok(response)
}

/// A place taken, or found.
pub(crate) struct Taken {
    pub(crate) fan: Fan,
    pub(crate) drop: Arc<DropState>,
    pub(crate) place: PlaceState,
    pub(crate) is_new: bool,
    pub(crate) crowd: Arc<Crowd>,
}

/// What joining is, for the API and the waiting page alike.
pub(crate) async fn take(app: &App, caller: &Caller, again: bool) -> Result<Taken, Error> {
    let crowd = caller.crowd(app).await?;
    let account = caller.account_of(app, &crowd)?;
    let (fan, drop, joined) = take_place(app, caller, account, again).await?;
    let (is_new, place) = match joined {
        Joined::New(place) => (true, place),
        Joined::Known(place) => (false, place),
        Joined::AccountBound => return Err(Error::AccountBound),
        Joined::Over => return Err(Error::DropOver),
    };
    crowd.count_join(is_new);
    Ok(Taken { fan, drop, place, is_new, crowd })
}

/// Leaves the secret and the pass with a browser.
pub(crate) fn keep_in_browser(document: &Document, response: &mut Response) {
    keep_visitor(&document.visitor, response);
    let pass = cookies::set(&presented::pass_cookie(&document.drop), &document.pass, COOKIE_S);
    response.headers_mut().append(header::SET_COOKIE, pass);
}

/// Leaves the secret alone with a browser: its place exists from now on, whenever it joins.
pub(crate) fn keep_visitor(visitor: &str, response: &mut Response) {
    response.headers_mut().append(header::SET_COOKIE, cookies::set(VISITOR_COOKIE, visitor, COOKIE_S));
}

/// Joins at the visitor's turn: the first, or the one after all that were given up. After one that is on another
/// device now, only who asks for it takes a new place.
async fn take_place(
    app: &App,
    caller: &Caller,
    account: Option<String>,
    mut again: bool,
) -> Result<(Fan, Arc<DropState>, Joined), Error> {
    let visitor = caller.visitor.clone().unwrap_or_else(VisitorSecret::generate);
    let visitor_hash = visitor.hash();
    let mut elsewhere = None;
    for turn in caller.first_turn(&visitor)..TURNS_MAX {
        let place = Place::of(&caller.drop, turn, &visitor);
        if !again && let Some(elsewhere) = elsewhere.take() {
            let (_, (_, next)) = app.batcher.look(&caller.drop, Asker { own: place, visitor_hash }).await?;
            if next == PlaceState::Unknown {
                return Ok(elsewhere);
            }
        }
        let who = Newcomer { place, visitor_hash, receipt: caller.receipt(place), account: account.clone() };
        let (drop, (held, joined)) = app.batcher.join(&caller.drop, who).await?;
        match joined {
            Joined::Known(PlaceState::Ended { given_up: true, .. }) => {}
            Joined::Known(PlaceState::Moved) => {
                let fan = Fan::new(caller.drop.clone(), visitor.clone(), place, held);
                elsewhere = Some((fan, drop, joined));
            }
            Joined::Known(state) if again && ended(&state).is_some() => {
                // boxed, as it is rare: every join would hold the room for it while it waits
                Box::pin(app.line.give_up(&caller.drop, held.place)).await?;
                again = false;
            }
            joined => return Ok((Fan::new(caller.drop.clone(), visitor, place, held), drop, joined)),
        }
    }
    Err(Error::TooManyTurns)
}
