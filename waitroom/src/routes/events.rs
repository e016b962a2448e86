//! A fan's live stream (server-sent events).

use std::sync::Arc;

use admission::{
    estimate::estimate,
    ids::DropId,
    line::{BatchError, DropState, Joined, Newcomer, PlaceState, Receipt},
    position::never_rising,
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{json::Query, sse};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;

use crate::{
    app::App,
    crowd::{Crowd, Listener, Tick},
    document::{self, View},
    error::Error,
    fan::{Caller, Fan},
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
                           `position` (`{position, ahead, estimate, left}`); `notice` (`Notice`); `bye` \
                           (`{retry_after_s}`), the last. A comment at least every 10 s.",
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
    caller: Caller,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Ok(room) = app.streams.clone().try_acquire_owned() else {
        return Ok(sse::shed());
    };
    match live(app, caller, options, &headers, room).await {
        Ok(Some(live)) => Ok(sse::live(live.frames())),
        Ok(None) => Ok(sse::shed()),
        // it will pass; an error status would end the browser's attempts for good
        Err(error @ (Error::Batch(_) | Error::Line(_))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a stream is sent away for a moment");
            Ok(sse::shed())
        }
        Err(error) => Err(error),
    }
}

/// The stream of a fan who has a place; `None` when that place has its share of streams open.
async fn live(
    app: App,
    caller: Caller,
    options: Options,
    headers: &HeaderMap,
    room: OwnedSemaphorePermit,
) -> Result<Option<Live>, Error> {
    let (fan, ..) = caller.place(&app).await?;
    let crowd = app.crowds.of(&fan.drop).await?;
    let (Some(listener), ticks) = (crowd.listen(fan.place), crowd.ticks()) else {
        return Ok(None);
    };
    // looked at only now: what happens from here on wakes the stream
    let (drop, place) = app.batcher.look(&fan.drop, fan.place).await?;
    Ok(Some(Live {
        listener,
        ticks,
        crowd,
        auto_claim: options.claim.as_deref() == Some("auto"),
        shown_face: Face::default(),
        shown: last_shown(headers, drop.epoch).or(options.shown).filter(|&position| position > 0),
        rate_told: drop.rate_per_minute,
        notice_seen: None,
        stale: false,
        fan,
        drop,
        place,
        app,
        _room: room,
    }))
}

/// `<epoch>.<tick>.<shown>`: what was shown counts within its epoch.
fn last_shown(headers: &HeaderMap, epoch: u64) -> Option<u64> {
    let id = headers.get("last-event-id")?.to_str().ok()?;
    let mut parts = id.split('.').map(str::parse::<u64>);
    let (Some(Ok(of_epoch)), Some(Ok(_tick)), Some(Ok(shown)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    (of_epoch == epoch).then_some(shown)
}

/// One open stream.
struct Live {
    app: App,
    fan: Fan,
    crowd: Arc<Crowd>,
    listener: Listener,
    ticks: watch::Receiver<Arc<Tick>>,
    auto_claim: bool,
    drop: DropState,
    place: PlaceState,
    shown_face: Face,
    /// The position shown last, from 1.
    shown: Option<u64>,
    /// The rate the estimate was told at.
    rate_told: u64,
    notice_seen: Option<String>,
    /// A look failed: the next tick tries again.
    stale: bool,
    _room: OwnedSemaphorePermit,
}

/// What of the drop's own state a fan's document tells: state, reason, opening.
type Face = (&'static str, Option<String>, Option<u64>);

enum Woken {
    Tick,
    Fan,
    Stop,
}

impl Live {
    fn frames(mut self) -> impl Stream<Item = Event> + Send + 'static {
        async_stream::stream! {
            let first = match self.document_frame("state") {
                Some(frame) => frame,
                None => { yield sse::bye(); return; }
            };
            yield first;
            if let Some(frame) = self.notice() { yield frame; }
            for frame in self.claim_if_auto().await { yield frame; }
            loop {
                let woken = tokio::select! {
                    biased;
                    () = self.app.stopping.cancelled() => Woken::Stop,
                    () = self.listener.woken() => Woken::Fan,
                    changed = self.ticks.changed() => if changed.is_ok() { Woken::Tick } else { Woken::Stop },
                };
                match woken {
                    Woken::Stop => { yield sse::bye(); return; }
                    Woken::Fan => for frame in self.look_again().await { yield frame; },
                    Woken::Tick => for frame in self.tick().await { yield frame; },
                }
            }
        }
    }

    fn face(&self) -> Face {
        let (state, reason) = document::state(&self.drop, &self.place);
        (state, reason, self.drop.opens_at)
    }

    /// A tick of the whole drop: a new state, a new position, a notice.
    async fn tick(&mut self) -> Vec<Event> {
        let tick = self.ticks.borrow_and_update().clone();
        // what is known of the place is of the old epoch: no document may mix the two
        let mut frames = match self.stale || tick.drop.epoch != self.drop.epoch {
            true => self.look_again().await,
            false => Vec::new(),
        };
        if tick.drop.epoch != self.drop.epoch {
            return frames;
        }
        let resumed = self.drop.paused_at.is_some() && tick.drop.paused_at.is_none();
        self.drop.clone_from(&tick.drop);
        if resumed && matches!(self.place, PlaceState::Called { .. } | PlaceState::Admitted { .. }) {
            // deadlines run on drop time and moved on with the pause; so did the session, not the token's end
            frames.extend(self.look_again().await);
        }
        if self.face() != self.shown_face {
            frames.extend(self.document_frame("state"));
        } else if self.shown_face.0 == "waiting" {
            frames.extend(self.position(&tick));
        }
        frames.extend(self.notice());
        frames
    }

    /// Something happened to this fan.
    async fn look_again(&mut self) -> Vec<Event> {
        match self.look().await {
            Ok((drop, place)) => {
                self.stale = false;
                let before = std::mem::replace(&mut self.place, place);
                let same_epoch = drop.epoch == self.drop.epoch;
                self.drop = drop;
                if !same_epoch {
                    self.shown = None;
                } else if before == self.place {
                    return self.claim_if_auto().await;
                }
                if matches!(self.place, PlaceState::Ended { .. }) {
                    self.shown = None; // what was shown of this place says nothing of the next
                }
                let name = match self.place {
                    PlaceState::Called { .. } => "called",
                    PlaceState::Admitted { .. } => "admitted",
                    _ => "state",
                };
                let mut frames = Vec::from_iter(self.document_frame(name));
                frames.extend(self.claim_if_auto().await);
                frames
            }
            Err(error) => {
                self.stale = true;
                tracing::debug!(error = &error as &dyn std::error::Error, drop = %self.fan.drop, "looking again");
                Vec::new()
            }
        }
    }

    /// The place as it stands. One that Redis lost goes back to where this stream knows it to be, so that
    /// who listens need not come back by hand.
    async fn look(&self) -> Result<(DropState, PlaceState), BatchError> {
        let (drop, place) = self.app.batcher.look(&self.fan.drop, self.fan.place).await?;
        let was_in_line = !matches!(self.place, PlaceState::Unknown | PlaceState::Ended { .. });
        if place != PlaceState::Unknown || !was_in_line {
            return Ok((drop, place));
        }
        let receipt = Receipt { key: self.place.key(), epoch: self.drop.epoch };
        let who = Newcomer { place: self.fan.place, receipt: Some(receipt), account: None };
        let (drop, joined) = self.app.batcher.join(&self.fan.drop, who).await?;
        Ok(match joined {
            Joined::New(place) | Joined::Known(place) => (drop, place),
            Joined::AccountBound | Joined::Over => (drop, PlaceState::Unknown),
        })
    }

    async fn claim_if_auto(&mut self) -> Vec<Event> {
        if !self.auto_claim || !matches!(self.place, PlaceState::Called { .. } | PlaceState::Lapsed { .. }) {
            return Vec::new();
        }
        match self.app.line.claim(&self.fan.drop, self.fan.place).await {
            Ok((drop, place)) => {
                self.drop = drop;
                self.place = place;
                let name = if matches!(place, PlaceState::Admitted { .. }) { "admitted" } else { "state" };
                self.document_frame(name).into_iter().collect()
            }
            Err(error) => {
                self.stale = true; // the next tick tries again
                tracing::warn!(error = &error as &dyn std::error::Error, drop = %self.fan.drop, "automatic claim");
                Vec::new()
            }
        }
    }

    /// The whole document under `name`; `None` (and one log line) when it cannot be made.
    fn document_frame(&mut self, name: &'static str) -> Option<Event> {
        let tick = self.crowd.tick();
        let ahead = match self.place {
            PlaceState::Waiting { key, rank } => {
                let now = tick.ahead(key).unwrap_or(rank);
                Some(never_rising(now, self.shown.map(|position| position - 1)))
            }
            _ => None,
        };
        let left = tick.counts.left();
        let view = View { fan: &self.fan, drop: &self.drop, place: &self.place, ahead, speed: tick.speed, left };
        match view.document(&self.app.passes, &self.app.signer) {
            Ok(document) => {
                self.shown_face = self.face();
                self.shown = document.position.or(self.shown);
                self.frame(name, tick.number, &json!(document))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, drop = %self.fan.drop, "a fan's document");
                None
            }
        }
    }

    /// The position, when it moved or the rate did, and with it the estimate.
    fn position(&mut self, tick: &Tick) -> Option<Event> {
        let PlaceState::Waiting { key, .. } = self.place else { return None };
        let ahead = never_rising(tick.ahead(key)?, self.shown.map(|position| position - 1));
        let rate = self.drop.rate_per_minute;
        let same_rate = std::mem::replace(&mut self.rate_told, rate) == rate;
        if same_rate && self.shown == Some(ahead + 1) {
            return None;
        }
        self.shown = Some(ahead + 1);
        let body = json!({ "position": ahead + 1, "ahead": ahead, "estimate": estimate(ahead, tick.speed, rate),
                           "left": tick.counts.left() });
        self.frame("position", tick.number, &body)
    }

    fn notice(&mut self) -> Option<Event> {
        let tick = self.crowd.tick();
        let notice = self.drop.notice.as_ref().or(tick.drop.notice.as_ref())?;
        if self.notice_seen.as_ref() == Some(&notice.id) {
            return None;
        }
        self.notice_seen = Some(notice.id.clone());
        let body = json!(notice);
        self.frame("notice", tick.number, &body)
    }

    fn frame(&self, name: &'static str, tick: u64, body: &Value) -> Option<Event> {
        let id = format!("{}.{tick}.{}", self.drop.epoch, self.shown.unwrap_or(0));
        Some(Event::default().event(name).id(id).data(body.to_string()))
    }
}
