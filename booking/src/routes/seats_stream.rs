//! `GET /events/{event_id}/seats/stream`: the seat map, live (server-sent events).

use axum::{
    extract::State as Shared,
    response::{Response, sse::Event},
};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde_json::json;
use shared::{client_address::ClientAddress, json::Path, problem::Problem, sse};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    seats::live::{Listener, Room, Seats, State},
};

/// Seats nobody looks after are worth another look after this, in seconds.
const STILL_RETRY_S: u64 = 30;

/// The seats of an event, live.
///
/// Never refused for want of room: then it says `bye` and when to return, because browsers give up for good
/// on an error status.
#[utoipa::path(
    get,
    path = "/events/{event_id}/seats/stream",
    operation_id = "watch_seats",
    params(
        ("event_id" = Uuid, Path),
        ("Last-Event-ID" = Option<String>, Header, description = "A version, `<epoch>-<n>`, as browsers send it back")
    ),
    responses(
        (
            status = 200,
            description = "Events `snapshot` (first, unless the version of Last-Event-ID is still known: data \
                           `SeatMap`); `delta` (`{version, changes: [[index, status], …]}`, the seats by their place \
                           in the layout, the last word on each); `bye` (`{retry_after_s}`), the last. The id of an \
                           event is its version. A comment at least every 10 s. Where nothing is on sale, what is to be \
                           told is followed by `bye` at once.",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 404, description = "event")
    )
)]
pub(crate) async fn stream(
    Shared(app): Shared<App>,
    Path(event_id): Path<String>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    let Some(room) = app.lives.room(address) else { return Ok(sse::shed()) };
    let seats = match app.lives.listen(&app, event_id).await {
        Ok(seats) => seats,
        // it will pass; an error status would end the browser's attempts for good
        Err(error @ (Error::Unavailable(_) | Error::Crowded)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a seat stream is sent away for a moment");
            return Ok(sse::shed());
        }
        Err(error) => return Err(error.into()),
    };
    let mut seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    Ok(match seats {
        Seats::Live(listener) => {
            let live = Live { listener, seen, stopping: app.lives.stopping(), first: true, over: false, _room: room };
            sse::live(live.frames())
        }
        Seats::Still(state) => {
            let frames = frame(&state, &mut seen).into_iter().chain([sse::bye_for(STILL_RETRY_S)]);
            sse::live(stream::iter(frames.collect::<Vec<_>>()))
        }
    })
}

/// One open stream.
struct Live {
    listener: Listener,
    /// The version the listener has.
    seen: Option<String>,
    stopping: CancellationToken,
    first: bool,
    over: bool,
    _room: Room,
}

impl Live {
    fn frames(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self, |mut live| async move {
            let frame = live.next().await?;
            Some((frame, live))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over {
                return None;
            }
            if !self.first {
                tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => return self.bye(),
                    changed = self.listener.changed() => if changed.is_err() { return self.bye() },
                }
            }
            let state = self.listener.borrow_and_update().clone();
            self.first = false;
            if let Some(frame) = frame(&state, &mut self.seen) {
                return Some(frame);
            }
        }
    }

    fn bye(&mut self) -> Option<Event> {
        self.over = true;
        Some(sse::bye())
    }
}

/// What leads from the version `seen` to `state`; nothing when that is the same.
fn frame(state: &State, seen: &mut Option<String>) -> Option<Event> {
    let version = &state.snapshot.version;
    if seen.as_ref() == Some(version) {
        return None;
    }
    let delta = seen.as_ref().and_then(|seen| state.since(seen));
    let (name, body) = match delta {
        Some(delta) => ("delta", delta.to_string()),
        None => ("snapshot", json!(state.snapshot.as_ref()).to_string()),
    };
    *seen = Some(version.clone());
    Some(Event::default().event(name).id(version).data(body))
}
