use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::Stream;
use serde::Serialize;
use shared::json::Path;
use utoipa::ToSchema;

use super::drop::drop_id;
use crate::{
    app::App,
    drops,
    error::Error,
    extract::SignedIn,
    line::{Counts, DropState, Notice, Outcomes},
};

const TICK: Duration = Duration::from_secs(1);
/// How soon a browser comes back after the stream broke: it is a console, not a crowd.
const RETRY: Duration = Duration::from_secs(1);

/// What an operator sees each second. Totals are since the drop began; `granted_last_s` is since the
/// frame before.
#[derive(Serialize, ToSchema)]
pub(crate) struct Live {
    pub(crate) state: &'static str,
    pub(crate) reason: String,
    pub(crate) rate_per_minute: u64,
    pub(crate) max_active: u64,
    pub(crate) lobby: u64,
    pub(crate) waiting: u64,
    pub(crate) called: u64,
    pub(crate) claims: u64,
    pub(crate) active: u64,
    pub(crate) granted: u64,
    pub(crate) granted_last_s: u64,
    /// Of the last few hundred fans called, those who did not come.
    pub(crate) no_shows: u64,
    pub(crate) shows: u64,
    pub(crate) capacity: u64,
    pub(crate) held: u64,
    pub(crate) sold: u64,
    /// Every ticket is held or sold, and some only held: nobody is called until one comes back.
    pub(crate) covered: bool,
    /// Fans called before, inside and after the interval they were shown first.
    pub(crate) estimates: Outcomes,
    /// What fans read from the operators; the latest word replaces the one before.
    #[schema(required)]
    pub(crate) notice: Option<Notice>,
}

/// A drop's figures, each second.
#[utoipa::path(
    get,
    path = "/ops/api/drops/{id}/live",
    operation_id = "watch_drop",
    params(("id" = String, Path, description = "The drop")),
    responses(
        (
            status = 200,
            description = "Events `live` (data: `Live`) and, while the line cannot be read, `unavailable` (data: `{}`)",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 404, description = "drop")
    ),
    security(("operator" = []))
)]
pub(crate) async fn stream(
    State(app): State<App>,
    _operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let drop = drops::show(&app.pool, &drop_id(&id)?).await?;
    let frames = async_stream::stream! {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut granted_before = None;
        yield Ok(Event::default().retry(RETRY));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = app.stopping.cancelled() => break,
            }
            match app.line.watch(&drop.id, None, false).await {
                Ok((state, watched)) => {
                    let total = watched.counts.granted_total;
                    let since = total.saturating_sub(granted_before.replace(total).unwrap_or(total));
                    if let Ok(frame) = Event::default().event("live").json_data(Live::new(&state, &watched.counts, since)) {
                        yield Ok(frame);
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, drop = %drop.id, "live figures");
                    yield Ok(Event::default().event("unavailable").data("{}"));
                }
            }
        }
    };
    Ok(Sse::new(frames).keep_alive(KeepAlive::default()))
}

impl Live {
    /// The state in one word; `covered` where the API says paused, and why.
    pub(crate) fn word(&self) -> &'static str {
        if self.covered && self.state == "paused" && self.reason == "covered" { "covered" } else { self.state }
    }

    pub(crate) fn new(drop: &DropState, counts: &Counts, granted_last_s: u64) -> Self {
        Self {
            state: drop.word(),
            reason: drop.pause_reason.clone(),
            rate_per_minute: drop.rate_per_minute,
            max_active: drop.max_active,
            lobby: counts.lobby,
            waiting: counts.waiting,
            called: counts.called,
            claims: counts.claims,
            active: counts.active,
            granted: counts.granted_total,
            granted_last_s,
            no_shows: counts.no_shows,
            shows: counts.shows,
            capacity: counts.capacity,
            held: counts.held,
            sold: counts.sold,
            covered: drop.covered,
            estimates: counts.estimates,
            notice: drop.notice.clone().filter(|notice| !notice.is_withdrawn()),
        }
    }
}
