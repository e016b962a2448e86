//! `GET /queue/{drop}/draw` for people: what the proof says, in words. Programs read it as JSON.

use admission::{
    draw::{Moment, Proof, SeedFrom, Stage},
    drops::DrawSource,
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use jiff::Timestamp;
use shared::{
    json::Path,
    pages::{Site, page},
};

use super::{
    catalogue::Catalogue,
    face::Face,
    language::Language,
    views::{Common, Drawing, in_language},
};
use crate::{app::App, error::Error, fan::Caller, routes::draw};

/// The query of who wants the figures in a browser.
const AS_DATA: &str = "json";

#[derive(Template)]
#[template(path = "draw.html")]
struct Draw {
    say: &'static Catalogue,
    site: Site,
    common: Common,
    face: Face,
    address: String,
    /// What `onsale draw verify` is called with.
    url: String,
    proof: Proof,
}

/// The proof: a page for a browser, JSON for everybody else.
pub(crate) async fn show(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    language: Language,
    caller: Caller,
) -> Result<Response, Error> {
    let mut response = draw::draw(State(app.clone()), Path(caller.drop.to_string())).await?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if query.as_deref() != Some(AS_DATA) && accepts.contains("text/html") {
        let tick = caller.crowd(&app).await?.tick();
        // what this process cannot read is still there for whoever can
        if let Ok(proof) = serde_json::from_str(&tick.face.draw) {
            let address = format!("/queue/{}/draw", caller.drop);
            response = page(&Draw {
                say: language.say,
                site: app.site.clone(),
                url: format!("{}{address}", app.public_url),
                address,
                face: Face("draw"),
                common: Common::new(caller.drop.clone(), &tick.drop, &tick, caller.account(&app).is_ok())?,
                proof,
            });
            language.mark(&mut response);
        }
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

impl Draw {
    fn is_beacon(&self) -> bool {
        self.proof.source == DrawSource::Beacon
    }

    fn stands(&self) -> &str {
        match self.proof.state {
            Stage::Announced => self.say.text("draw-announced"),
            Stage::Closed => self.say.text("draw-closed"),
            Stage::Drawing => self.say.text("draw-drawing"),
            Stage::Drawn => self.say.text("draw-drawn"),
        }
    }

    /// The announced beacon was not what decided.
    fn fell_back(&self) -> bool {
        self.is_beacon() && self.proof.seed_from == Some(SeedFrom::Secret)
    }

    fn closes(&self) -> String {
        match self.proof.lobby_closes_at.and_then(time) {
            Some(at) => self.say.moment(&at),
            None => self.say.text("draw-at-opening").to_owned(),
        }
    }

    /// How far it has come, while it is under way.
    fn progress(&self) -> Option<String> {
        let total = self.proof.entrants.as_ref()?.count;
        (self.proof.state == Stage::Drawing).then(|| self.say.drawn(&Drawing { drawn: self.proof.drawn, total }))
    }
}

fn time(at: Moment) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(at.0).ok()?).ok()
}
