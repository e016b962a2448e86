use admission::{ids::DropId, pace};
use axum::{extract::State, http::header, response::IntoResponse};
use jiff::Timestamp;
use serde::Serialize;
use shared::json::{Json, Path};
use utoipa::ToSchema;

use crate::{app::App, document::timestamp, error::Error};

/// What everybody may know of a drop.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pulse {
    drop: DropId,
    title: String,
    state: &'static str,
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    opens_at: Option<Timestamp>,
    epoch: u64,
    tick: u64,
    lobby: u64,
    waiting: u64,
    called: u64,
    claims: u64,
    /// Admissions since the drop began.
    granted: u64,
    active: u64,
    capacity: u64,
    held: u64,
    sold: u64,
    /// Tickets nobody holds or owns; null until booking has reported.
    #[schema(required)]
    left: Option<u64>,
    sold_out: bool,
    rate_per_minute: u64,
    /// The most admissions at once after a gap.
    burst: f64,
    events: Vec<String>,
}

/// Public totals, a second old at most.
#[utoipa::path(
    get,
    path = "/queue/{drop}/pulse",
    params(("drop" = DropId, Path)),
    responses((status = 200, description = "The totals", body = Pulse), (status = 404, description = "drop"))
)]
pub(crate) async fn pulse(State(app): State<App>, Path(drop): Path<String>) -> Result<impl IntoResponse, Error> {
    let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
    let tick = app.crowds.of(&drop).await?.tick();
    let (state, counts) = (&tick.drop, &tick.counts);
    let pulse = Pulse {
        drop,
        title: state.title.clone(),
        state: state.word(),
        reason: state.paused_at.map(|_| state.pause_reason.clone()),
        opens_at: state.opens_at.map(timestamp).transpose()?,
        epoch: state.epoch,
        tick: tick.number,
        lobby: counts.lobby,
        waiting: counts.waiting,
        called: counts.called,
        claims: counts.claims,
        granted: counts.granted_total,
        active: counts.active,
        capacity: counts.capacity,
        held: counts.held,
        sold: counts.sold,
        left: counts.left(),
        sold_out: state.sold_out,
        rate_per_minute: state.rate_per_minute,
        burst: pace::burst(state.rate_per_minute),
        events: state.events.clone(),
    };
    Ok(([(header::CACHE_CONTROL, "public, max-age=1")], Json(pulse)))
}
