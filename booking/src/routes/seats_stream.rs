//! `GET /events/{event_id}/seats/stream`: the seat map, live (server-sent events).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State as Shared,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, header};
use serde_json::json;
use shared::{json::Path, problem::Problem};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    seats::live::{Listener, State},
};

/// Heartbeats, so that proxies and phones keep the stream open: at most this far apart.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// When a stream breaks, the browser comes back after this and up to as much again, in milliseconds.
const RETRY_MS: u64 = 1_500;
/// When the process is full or about to stop, browsers are asked to come back after this, in seconds.
const BYE_RETRY_S: u64 = 3;

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
                           event is its version. A comment at least every 10 s.",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 404, description = "event")
    )
)]
pub(crate) async fn stream(
    Shared(app): Shared<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    let Some(room) = app.lives.room() else { return Ok(shed()) };
    let listener = match app.lives.listen(&app, event_id).await {
        Ok(listener) => listener,
        // it will pass; an error status would end the browser's attempts for good
        Err(error @ (Error::Unavailable(_) | Error::Crowded)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a seat stream is sent away for a moment");
            return Ok(shed());
        }
        Err(error) => return Err(error.into()),
    };
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let live = Live { listener, seen, stopping: app.lives.stopping(), first: true, over: false, _room: room };
    Ok(sse(live.frames()))
}

/// One open stream.
struct Live {
    listener: Listener,
    /// The version the listener has.
    seen: Option<String>,
    stopping: CancellationToken,
    first: bool,
    over: bool,
    _room: OwnedSemaphorePermit,
}

impl Live {
    fn frames(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut live| async move {
            let frame = live.next().await?;
            Some((Ok(frame), live))
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
            let retry = self.first.then(retry);
            self.first = false;
            if let Some(frame) = self.frame(&state) {
                return Some(match retry {
                    Some(retry) => frame.retry(retry),
                    None => frame,
                });
            }
        }
    }

    /// What leads from what was seen to `state`; nothing when that is the same.
    fn frame(&mut self, state: &State) -> Option<Event> {
        let version = &state.snapshot.version;
        if self.seen.as_ref() == Some(version) {
            return None;
        }
        let delta = self.seen.as_ref().and_then(|seen| state.since(seen));
        let (name, body) = match delta {
            Some(delta) => ("delta", delta.to_string()),
            None => ("snapshot", json!(state.snapshot.as_ref()).to_string()),
        };
        self.seen = Some(version.clone());
        Some(Event::default().event(name).id(version).data(body))
    }

    fn bye(&mut self) -> Option<Event> {
        self.over = true;
        Some(bye())
    }
}

/// Asks to come back later.
fn shed() -> Response {
    sse(stream::iter([bye().retry(retry())]).map(Ok))
}

fn bye() -> Event {
    Event::default().event("bye").data(json!({ "retry_after_s": BYE_RETRY_S }).to_string())
}

fn retry() -> Duration {
    Duration::from_millis(RETRY_MS + rand::random_range(0..RETRY_MS))
}

fn sse(frames: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"), // nginx: no buffering
    ];
    (headers, Sse::new(frames).keep_alive(KeepAlive::new().interval(HEARTBEAT))).into_response()
}
