//! What the two pages are made of.

use admission::{
    ids::{DropId, Place},
    line::{DropState, Notice},
};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;
use shared::pages::Site;

use super::{
    brand::Brand,
    catalogue::Catalogue,
    face::Face,
    shown::{Memory, address},
};
use crate::{
    crowd::Tick,
    document::{Document, timestamp},
    error::Error,
    fan::Fan,
};

/// The page of a fan who is in line. Every section is in it, all but one hidden: the stream tells which.
#[derive(Template)]
#[template(path = "queue.html")]
pub(super) struct InLine {
    say: &'static Catalogue,
    site: Site,
    common: Common,
    face: Face,
    place: Place,
    epoch: u64,
    position: Option<u64>,
    from: Option<u64>,
    ahead: String,
    estimate: String,
    /// In a word, and why.
    chance: (&'static str, &'static str),
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
    /// Whether a mail is to come with the turn.
    mail: bool,
    mail_was_wrong: bool,
    code: Option<ShownCode>,
    draw: Option<Drawing>,
}

/// What moves the place to another device, for who asked for it.
pub(super) struct ShownCode {
    pub(super) code: String,
    pub(super) expires_at: Timestamp,
}

/// How many of the lobby have their place.
pub(super) struct Drawing {
    pub(super) drawn: u64,
    pub(super) total: u64,
}

impl Drawing {
    /// From the public word on the draw; `None` before the list is closed, and where there is none.
    fn read(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Draw {
            drawn: u64,
            entrants: Option<Entrants>,
        }
        #[derive(Deserialize)]
        struct Entrants {
            count: u64,
        }
        let draw: Draw = serde_json::from_str(json).ok()?;
        let total = draw.entrants.map(|entrants| entrants.count).filter(|&count| count > 0)?;
        Some(Self { drawn: draw.drawn.min(total), total })
    }
}

/// The page of somebody who is not in line yet.
#[derive(Template)]
#[template(path = "join.html")]
pub(super) struct Outside {
    say: &'static Catalogue,
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
    pub(super) refuses_cookies: bool,
    pub(super) code_was_wrong: bool,
}

/// What both pages tell of the drop.
pub(super) struct Common {
    pub(super) drop: DropId,
    pub(super) title: String,
    brand: Brand,
    /// The public word on the draw (JSON).
    draw: String,
    /// Addresses of the drop's colours and its logo.
    pub(super) sheet: Option<String>,
    pub(super) logo: Option<String>,
    /// Redis's clock: what all deadlines run on.
    now: Timestamp,
    opens_at: Option<Timestamp>,
    left: Option<u64>,
    /// Fans who took their turn and wait at the door.
    claims: u64,
    notice: Option<Notice>,
    signed_in: bool,
}

/// The same page in another language.
pub(super) fn in_language(address: &str, code: &str) -> String {
    let joined_by = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joined_by}lang={code}")
}

impl Common {
    pub(super) fn new(id: DropId, drop: &DropState, tick: &Tick, signed_in: bool) -> Result<Self, Error> {
        let brand = Brand::read(&tick.face.brand);
        Ok(Self {
            sheet: brand.sheet(&id),
            logo: brand.logo(&id),
            brand,
            draw: tick.face.draw.clone(),
            drop: id,
            title: drop.title.clone(),
            now: timestamp(drop.now)?,
            opens_at: drop.opens_at.map(timestamp).transpose()?,
            left: tick.counts.left(),
            claims: tick.counts.claims,
            notice: drop.notice.clone().filter(|notice| !notice.is_withdrawn()),
            signed_in,
        })
    }

    /// What the page is called at its top.
    pub(super) fn brand_or<'a>(&'a self, site: &'a str) -> &'a str {
        self.brand.name.as_deref().unwrap_or(site)
    }

    pub(super) fn is_branded(&self) -> bool {
        self.brand.name.is_some()
    }

    /// A clock that shows hours needs smaller digits on a phone; `page.js` says the same.
    fn hours(&self, until: &Timestamp) -> &'static str {
        if until.duration_since(self.now).as_hours() > 0 { " long" } else { "" }
    }

    /// The opening, while it lies ahead.
    fn opening(&self) -> Option<Timestamp> {
        self.opens_at.filter(|at| *at > self.now)
    }
}

impl InLine {
    pub(super) fn of(
        say: &'static Catalogue,
        site: &Site,
        common: Common,
        drop: &DropState,
        fan: &Fan,
        document: &Document,
        memory: &Memory,
    ) -> Self {
        let face = Face::of(document.state, document.reason.as_deref(), document.called);
        Self {
            face,
            epoch: drop.epoch,
            position: document.position,
            from: document.position.map(|position| memory.from(fan.place, position)),
            ahead: document.ahead.map(|ahead| say.ahead(ahead)).unwrap_or_default(),
            estimate: say.estimate(document.estimate),
            chance: say.chance(document.chance),
            claim_deadline: document.claim_deadline,
            session_ends: document.admission.as_ref().map(|admission| admission.expires_at),
            reason: document.reason.clone().unwrap_or_default(),
            refresh: face.refresh_s(document.poll_after_s),
            address: address(&common.drop, fan.place, document.position, memory),
            mail: fan.mail,
            ..Self::without_answer(say, site, common, drop, fan.place, memory)
        }
    }

    /// What can be said of a place while nobody can look it up.
    pub(super) fn without_answer(
        say: &'static Catalogue,
        site: &Site,
        common: Common,
        drop: &DropState,
        place: Place,
        memory: &Memory,
    ) -> Self {
        let face = Face("restoring");
        Self {
            say,
            site: site.clone(),
            face,
            place,
            epoch: drop.epoch,
            position: None,
            from: None,
            ahead: String::new(),
            estimate: say.estimate(None),
            chance: say.chance(None),
            claim_deadline: None,
            session_ends: None,
            reason: String::new(),
            refresh: face.refresh_s(0),
            address: address(&common.drop, place, None, memory),
            claim_window: say.span(drop.claim_window_s),
            grace: (drop.grace_s > 0).then(|| say.span(drop.grace_s)),
            session: say.span(drop.session_s),
            door: say.door(common.claims, drop.rate_per_minute),
            mail: false,
            mail_was_wrong: memory.says("mail-wrong"),
            code: None,
            draw: Drawing::read(&common.draw),
            common,
        }
    }

    /// The same with a code to be typed on another device; the page stays as it is until that is over.
    pub(super) fn with_code(mut self, code: Option<ShownCode>) -> Self {
        if let Some(code) = &code {
            self.refresh = u64::try_from(code.expires_at.duration_since(self.common.now).as_secs()).ok();
        }
        self.code = code;
        self
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
        match (self.face.0, self.position) {
            ("waiting", Some(position)) => self.say.with("tab-waiting", "position", &self.say.number(&position)),
            _ => self.say.text(self.face.tab()).to_owned(),
        }
    }
}

impl Outside {
    pub(super) fn of(
        say: &'static Catalogue,
        site: &Site,
        drop: DropId,
        tick: &Tick,
        signed_in: bool,
    ) -> Result<Self, Error> {
        let word = tick.drop.word();
        Ok(Self {
            say,
            site: site.clone(),
            address: format!("/queue/{drop}"),
            common: Common::new(drop, &tick.drop, tick, signed_in)?,
            face: Face(if tick.drop.covered && matches!(word, "running" | "paused") { "covered" } else { word }),
            waiting: tick.counts.waiting,
            lobby: tick.counts.lobby,
            reason: tick.drop.pause_reason.clone(),
            must_sign_in: tick.drop.account_required && !signed_in,
            refuses_cookies: false,
            code_was_wrong: false,
        })
    }

    fn hidden_unless(&self, name: &str) -> &'static str {
        if self.face.0 == name { "" } else { " hidden" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in a page's markup for people to read or hear, by tags and attributes.
    fn told(html: &str) -> Vec<String> {
        let mut told = Vec::new();
        for piece in html.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a whole tag");
            if !tag.starts_with("script") && !tag.starts_with("style") {
                told.push(text.to_owned());
            }
            for attribute in ["aria-label=\"", "alt=\"", "title=\"", "placeholder=\"", "data-announce=\""] {
                let value = tag.split(attribute).nth(1).and_then(|rest| rest.split('"').next());
                // the tab's title is that of the drop
                told.extend(value.filter(|_| !tag.contains("data-title")).map(str::to_owned));
            }
        }
        told
    }

    /// What is left of a text without what the catalogue said.
    fn unmarked(text: &str) -> String {
        let mut depth = 0;
        let keep = |c: &char| {
            match c {
                '⟦' => depth += 1,
                '⟧' => depth -= 1,
                _ => return depth == 0,
            }
            false
        };
        text.replace("&#38;", "&").chars().filter(keep).collect()
    }

    fn assert_all_marked(html: &str) {
        let names: Vec<&str> = Catalogue::all().iter().map(|other| other.language.name.as_str()).collect();
        for text in told(html) {
            let left = names.iter().fold(unmarked(&text), |left, name| left.replace(name, ""));
            // the site's and the drop's names, the zone, and what the organiser wrote
            let left = ["Onsale", "ZETA", "UTC", "AAAAA-BBBBB"].iter().fold(left, |left, name| left.replace(name, ""));
            assert!(!left.contains(char::is_alphabetic), "{left:?} in {text:?} is in no catalogue");
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn common(opens_at: Option<Timestamp>, notice: bool) -> Common {
        let said = || Notice { id: "n".into(), text: "ZETA".into(), lang: "en".into(), at: at(1_000) };
        let tick = Tick::default();
        let drop = DropState { now: 1_000_000_000, title: "ZETA".into(), ..DropState::default() };
        let mut common = Common::new(DropId::parse("zeta").unwrap(), &drop, &tick, false).unwrap();
        common.brand = Brand::read(r#"{"name":"ZETA"}"#);
        (common.opens_at, common.notice) = (opens_at, notice.then(said));
        common
    }

    fn in_line(say: &'static Catalogue, opens_at: Option<Timestamp>, full: bool) -> InLine {
        let site = shared::testing::site(vec![crate::assets()]);
        let drop = DropState { claim_window_s: 90, grace_s: if full { 120 } else { 0 }, ..DropState::default() };
        let place = Place::from_bytes([1; 16]);
        let page = InLine::without_answer(say, &site, common(opens_at, full), &drop, place, &Memory::default());
        InLine {
            position: full.then_some(12_345),
            from: full.then_some(20_000),
            ahead: say.ahead(12_344),
            estimate: say.estimate(None),
            claim_deadline: full.then(|| at(1_090)),
            session_ends: full.then(|| at(5_000)),
            reason: if full { admission::BOOKING_SILENT.to_owned() } else { String::new() },
            mail: full,
            mail_was_wrong: !full,
            draw: full.then_some(Drawing { drawn: 5, total: 9 }),
            code: full.then(|| ShownCode { code: "AAAAA-BBBBB".to_owned(), expires_at: at(1_180) }),
            ..page
        }
    }

    /// A page whose every message is marked has no other word on it.
    #[test]
    fn every_word_comes_from_the_catalogue() {
        let say = Catalogue::marked();
        for (opens_at, full) in [(Some(at(9_000)), true), (None, false)] {
            assert_all_marked(&in_line(say, opens_at, full).render().unwrap());
            let site = shared::testing::site(vec![crate::assets()]);
            let drop = DropId::parse("zeta").unwrap();
            let mut outside = Outside::of(say, &site, drop, &Tick::default(), false).unwrap();
            outside.common = common(opens_at, full);
            (outside.refuses_cookies, outside.code_was_wrong, outside.must_sign_in) = (full, full, !full);
            assert_all_marked(&outside.render().unwrap());
        }
    }

    #[test]
    fn what_is_not_from_the_catalogue_is_noticed() {
        let unmarked = |html: &str| std::panic::catch_unwind(|| assert_all_marked(html)).is_err();
        assert!(unmarked("<p>Hello</p>") && unmarked("<p aria-label=\"Hello\">⟦x⟧</p>"));
        assert!(!unmarked("<p>⟦Hello ⟦2 minutes⟧ more⟧ · 12 ZETA</p>"));
    }

    #[test]
    fn every_language_has_its_direction_and_a_way_to_the_others() {
        for say in Catalogue::all() {
            let html = in_line(say, None, true).render().unwrap();
            let dir = if say.code == "ar" { "rtl" } else { "ltr" };
            assert!(html.contains(&format!("<html lang=\"{}\" dir=\"{dir}\">", say.code)), "{}", say.code);
            for other in Catalogue::all() {
                assert!(
                    html.contains(&format!("lang={}\" lang=\"{}\" hreflang", other.code, other.code)),
                    "{}",
                    say.code
                );
            }
        }
    }
}
