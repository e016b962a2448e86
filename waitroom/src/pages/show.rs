//! `GET /queue/{drop}`: where the fan stands, or what there is to join. Changes nothing.

use admission::{
    ids::{DropId, Place, VisitorSecret},
    line::{Counts, DropState, Notice},
};
use askama::Template;
use axum::{extract::State, response::Response};
use jiff::Timestamp;
use shared::{
    json::Query,
    pages::{Site, page},
};

use super::{
    face::Face,
    shown::{Memory, address},
    words,
};
use crate::{
    app::App,
    crowd::Tick,
    document::{Document, timestamp},
    error::Error,
    fan::{Caller, Fan},
    routes::{
        join::{keep_in_browser, keep_visitor},
        status::document,
    },
};

/// The page of a fan who is in line. Every section is in it, all but one hidden: the stream tells which.
#[derive(Template)]
#[template(path = "queue.html")]
struct InLine {
    site: Site,
    common: Common,
    face: Face,
    place: Place,
    epoch: u64,
    position: Option<u64>,
    from: Option<u64>,
    ahead: String,
    estimate: String,
    claim_deadline: Option<Timestamp>,
    session_ends: Option<Timestamp>,
    reason: String,
    refresh: Option<u64>,
    address: String,
    claim_window: String,
    grace: Option<String>,
    session: String,
    /// How long those at the door may take to get through it.
    door: String,
}

/// The page of somebody who is not in line yet.
#[derive(Template)]
#[template(path = "join.html")]
struct Outside {
    site: Site,
    common: Common,
    /// The drop's own state.
    face: Face,
    address: String,
    waiting: u64,
    lobby: u64,
    reason: String,
    /// Joining needs a session, and there is none.
    must_sign_in: bool,
    /// The browser did not bring the cookie it was given, and without one there is no place to keep.
    refuses_cookies: bool,
}

/// What both pages tell of the drop.
struct Common {
    drop: DropId,
    title: String,
    /// Redis's clock: what all deadlines run on.
    now: Timestamp,
    opens_at: Option<Timestamp>,
    left: Option<u64>,
    /// Fans who took their turn and wait at the door.
    claims: u64,
    notice: Option<Notice>,
    signed_in: bool,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Query(memory): Query<Memory>,
) -> Result<Response, Error> {
    let crowd = caller.crowd(&app).await?;
    let signed_in = caller.account(&app).is_ok();
    let (drop_id, visitor, keeps_secret) = (caller.drop.clone(), caller.visitor.clone(), caller.keeps_secret);
    let pass = caller.pass.as_ref().map(|pass| pass.place);
    match caller.place(&app).await {
        Ok((fan, drop, place)) => {
            let document = document(&app, &fan, &drop, &place, memory.shown(fan.place)).await?;
            let common = Common::new(drop_id, &drop, &crowd.tick().counts, signed_in)?;
            let mut response = page(&InLine::of(&app.site, common, &drop, &fan, &document, &memory));
            // a browser that lost its pass, or holds that of an earlier turn, gets the one that brings this place back
            if !keeps_secret && pass != Some(fan.place) {
                keep_in_browser(&document, &mut response);
            }
            Ok(response)
        }
        Err(Error::UnknownPlace) => {
            let mut response = page(&Outside {
                refuses_cookies: visitor.is_none() && memory.given_a_cookie(),
                ..Outside::of(&app.site, drop_id, &crowd.tick(), signed_in)?
            });
            if visitor.is_none() {
                keep_visitor(&VisitorSecret::generate().expose(), &mut response);
            }
            Ok(response)
        }
        // the line is away for a moment: whoever was in it is told so on this page, which goes on by itself
        Err(Error::Batch(_) | Error::Line(_)) if let Some(place) = pass => {
            let tick = crowd.tick();
            let common = Common::new(drop_id, &tick.drop, &tick.counts, signed_in)?;
            Ok(page(&InLine::without_answer(&app.site, common, &tick.drop, place, &memory)))
        }
        Err(error) => Err(error),
    }
}

impl Common {
    fn new(id: DropId, drop: &DropState, counts: &Counts, signed_in: bool) -> Result<Self, Error> {
        Ok(Self {
            drop: id,
            title: drop.title.clone(),
            now: timestamp(drop.now)?,
            opens_at: drop.opens_at.map(timestamp).transpose()?,
            left: counts.left(),
            claims: counts.claims,
            notice: drop.notice.clone(),
            signed_in,
        })
    }

    /// A clock that shows hours needs smaller digits on a phone; `page.js` says the same.
    fn hours(&self, until: &Timestamp) -> &'static str {
        if words::clock(until, &self.now).len() > 5 { " long" } else { "" }
    }

    /// The opening, while it lies ahead.
    fn opening(&self) -> Option<Timestamp> {
        self.opens_at.filter(|at| *at > self.now)
    }
}

impl InLine {
    fn of(site: &Site, common: Common, drop: &DropState, fan: &Fan, document: &Document, memory: &Memory) -> Self {
        let face = Face::of(document.state, document.reason.as_deref(), document.called);
        Self {
            face,
            epoch: drop.epoch,
            position: document.position,
            from: document.position.map(|position| memory.from(fan.place, position)),
            ahead: document.ahead.map(words::ahead).unwrap_or_default(),
            estimate: words::estimate(document.estimate),
            claim_deadline: document.claim_deadline,
            session_ends: document.admission.as_ref().map(|admission| admission.expires_at),
            reason: document.reason.clone().unwrap_or_default(),
            refresh: face.refresh_s(document.poll_after_s),
            address: address(&common.drop, fan.place, document.position, memory),
            ..Self::without_answer(site, common, drop, fan.place, memory)
        }
    }

    /// What can be said of a place while nobody can look it up.
    fn without_answer(site: &Site, common: Common, drop: &DropState, place: Place, memory: &Memory) -> Self {
        let face = Face("restoring");
        Self {
            site: site.clone(),
            face,
            place,
            epoch: drop.epoch,
            position: None,
            from: None,
            ahead: String::new(),
            estimate: words::estimate(None),
            claim_deadline: None,
            session_ends: None,
            reason: String::new(),
            refresh: face.refresh_s(0),
            address: address(&common.drop, place, None, memory),
            claim_window: words::span(drop.claim_window_s),
            grace: (drop.grace_s > 0).then(|| words::span(drop.grace_s)),
            session: words::span(drop.session_s),
            door: words::door(common.claims, drop.rate_per_minute),
            common,
        }
    }

    fn hidden_unless(&self, name: &str) -> &'static str {
        if self.face.0 == name { "" } else { " hidden" }
    }

    /// Whether the lobby's draw is still before the fan.
    fn is_drawn(&self) -> bool {
        self.face.step() == Some(0)
    }

    /// Attributes of a step of the way, from 0, the draw.
    fn step(&self, step: u8) -> &'static str {
        match self.face.step() {
            Some(at) if at == step => r#" aria-current="step""#,
            Some(at) if at > step => r#" class="done""#,
            _ => "",
        }
    }

    /// Long numbers need smaller digits on a phone.
    fn digits(&self) -> &'static str {
        match self.position.unwrap_or(0) {
            0..100_000 => "",
            100_000..1_000_000 => " long",
            _ => " longer",
        }
    }

    /// How much of the way is gone, in thousandths.
    fn gone(&self) -> u64 {
        match (self.position, self.from) {
            (Some(position), Some(from)) => 1_000 * (from + 1).saturating_sub(position) / from.max(1),
            _ => 0,
        }
    }

    fn tab(&self) -> String {
        self.face.tab(self.position.as_ref().map(words::number).as_deref())
    }
}

impl Outside {
    fn of(site: &Site, drop: DropId, tick: &Tick, signed_in: bool) -> Result<Self, Error> {
        Ok(Self {
            site: site.clone(),
            address: format!("/queue/{drop}"),
            common: Common::new(drop, &tick.drop, &tick.counts, signed_in)?,
            face: Face(tick.drop.word()),
            waiting: tick.counts.waiting,
            lobby: tick.counts.lobby,
            reason: tick.drop.pause_reason.clone(),
            must_sign_in: tick.drop.account_required && !signed_in,
            refuses_cookies: false,
        })
    }

    fn hidden_unless(&self, name: &str) -> &'static str {
        if self.face.0 == name { "" } else { " hidden" }
    }
}
