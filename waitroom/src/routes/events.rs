//! A fan's live stream (server-sent events).

use admission::ids::DropId;
use axum::{
    extract::{Extension, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use shared::{client_address::ClientAddress, json::Query, server::Detachable};
use utoipa::IntoParams;

use crate::{
    app::App,
    error::Error,
    fan::Caller,
    hub::{Frame, Seat, Stream, Why, sent_away},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Options {
    /// `auto`: claims as soon as the fan is called.
    claim: Option<String>,
    /// The position shown last, for clients that cannot send Last-Event-ID.
    shown: Option<u64>,
}

/// The fan's place, live.
///
/// Never refused for want of room: then it says `bye` and when to return, because browsers give up for good
/// on an error status.
#[utoipa::path(
    get,
    path = "/queue/{drop}/events",
    params(
        ("drop" = DropId, Path),
        Options,
        ("Last-Event-ID" = Option<String>, Header, description = "`<epoch>.<tick>.<shown>`, as browsers send it back")
    ),
    responses(
        (
            status = 200,
            description = "Events `state` (first, and at every change), `called` and `admitted` (data: `Document`); \
                           `position` (`{position, ahead, estimate, left, chance}`); `notice` (`Notice`); `bye` \
                           (`{retry_after_s, reason}`), the last; the reason is `full`, `address` or `place` (no room \
                           for more streams of this process, address, place), `restart` or `unavailable`. A position \
                           comes every second to who is near the front, at least every 10 s to all it moves for; \
                           `beat` (`{}`), at least every 10 s to who would hear nothing.",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 404, description = "drop, place"),
        (status = 409, description = "limit")
    ),
    security(("visitor" = []), ("visitor" = [], "pass" = []))
)]
pub(crate) async fn events(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    caller: Caller,
    Query(options): Query<Options>,
    headers: HeaderMap,
    detachable: Option<Extension<Detachable>>,
) -> Result<Response, Error> {
    if app.stopping.is_cancelled() {
        return Ok(sent_away(Why::Restart));
    }
    let seat = match app.hub.seat(address) {
        Ok(seat) => seat,
        Err(why) => return Ok(sent_away(why)),
    };
    let detachable = detachable.map(|Extension(detachable)| detachable);
    match live(&app, caller, &options, &headers, seat, detachable).await {
        // it will pass; an error status would end the browser's attempts for good
        Err(error @ (Error::Batch(_) | Error::Line(_))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a stream is sent away for a moment");
            Ok(sent_away(Why::Unavailable))
        }
        answer => answer,
    }
}

/// The stream of a fan who has a place.
async fn live(
    app: &App,
    caller: Caller,
    options: &Options,
    headers: &HeaderMap,
    seat: Seat,
    detachable: Option<Detachable>,
) -> Result<Response, Error> {
    let (fan, drop, place) = caller.place(app).await?;
    let crowd = app.crowds.of(&fan.drop).await?;
    let seat = match seat.of(fan.own) {
        Ok(seat) => seat,
        Err(why) => return Ok(sent_away(why)),
    };
    let auto_claim = options.claim.as_deref() == Some("auto");
    // a browser that comes back by itself repeats the address it began with; its id is newer, even of another epoch
    let shown = match headers.get("last-event-id") {
        Some(id) => id.to_str().ok().and_then(|id| last_shown(id, drop.epoch)),
        None => options.shown,
    };
    let mut first = Frame::default();
    let begun = Stream::begin(&fan, (&drop, place), &crowd.tick(), (shown, auto_claim), app.hub.renderer(), &mut first);
    let stream = begun.map_err(Error::Signing)?;
    Ok(app.hub.answer((&fan, crowd), (seat, stream, &first), detachable))
}

/// `<epoch>.<tick>.<shown>`: what was shown counts within its epoch.
fn last_shown(id: &str, epoch: u64) -> Option<u64> {
    let mut parts = id.split('.').map(str::parse::<u64>);
    let (Some(Ok(of_epoch)), Some(Ok(_tick)), Some(Ok(shown)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    (of_epoch == epoch).then_some(shown)
}
