//! What the console's forms do: the same as the API's calls.

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use serde::Deserialize;
use shared::{
    json::Path,
    pages::{Form, see_other},
    problem::Problem,
};

use super::{
    drop::refuse,
    typed::{Refusal, label, local, number, time},
    words::grouped,
};
use crate::{
    app::App,
    brand::{BrandChanges, Colour},
    drops::{self, Changes, DrawSource, Drop, DropError, JoinRequires},
    error::Error,
    extract::OnPage,
    line::Notice,
    operators::Operator,
    routes::drop::drop_id,
};

/// Every field of every form, as text: what cannot be read is shown again with the reason.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Posted {
    #[serde(rename = "do")]
    action: String,
    pub(super) rate: String,
    /// The rate that stood on the page.
    from: String,
    /// The rate once more, when it was asked whether it is meant.
    sure: String,
    /// One of the reasons offered.
    pub(super) reason: String,
    /// A reason in own words; it counts more.
    pub(super) words: String,
    pub(super) text: String,
    pub(super) lang: String,
    /// The drop's id, typed as the second look before its end.
    confirm: String,
    /// The version of the settings that stood on the page.
    seen: String,
    pub(super) title: String,
    pub(super) max_active: String,
    pub(super) claim_window_s: String,
    pub(super) grace_s: String,
    pub(super) session_s: String,
    pub(super) max_per_fan: String,
    /// Absent when it cannot be changed any more.
    pub(super) opens_at: Option<String>,
    pub(super) join_requires: String,
    /// Absent when it cannot be changed any more.
    pub(super) draw_source: Option<String>,
    pub(super) brand_name: String,
    /// `#rrggbb`; nothing typed is none.
    pub(super) accent: String,
}

/// `POST /ops/drops/{id}`: obeys one form and leads back to the page, which says what was done.
pub(super) async fn steer(
    State(app): State<App>,
    OnPage(operator): OnPage,
    Path(id): Path<String>,
    Form(posted): Form<Posted>,
) -> Result<Response, Problem> {
    let drop = drops::show(&app.pool, &drop_id(&id)?).await.map_err(Error::from)?;
    let done = match obey(&app, &operator, &drop, &posted).await {
        Ok(done) => done,
        // stored; the keeper tells the line as soon as it can be reached
        Err(Refusal::Drop(DropError::Line(error))) if !matches!(posted.action.as_str(), "notice" | "withdraw") => {
            tracing::warn!(error = &error as &dyn std::error::Error, drop = %drop.id, "an order is not heard yet");
            "stored"
        }
        Err(refusal) => {
            let refused = refusal.told(&posted.action)?;
            let drop = drops::show(&app.pool, &drop.id).await.map_err(Error::from)?;
            return refuse(&app, &operator, &drop, &posted, refused).await;
        }
    };
    Ok(see_other(&format!("/ops/drops/{}?done={done}", drop.id)))
}

/// Does it; says in one word what was done.
async fn obey(app: &App, operator: &Operator, drop: &Drop, posted: &Posted) -> Result<&'static str, Refusal> {
    let (pool, line, id, actor, now) = (&app.pool, &app.line, &drop.id, operator.actor(), app.clock.now());
    match posted.action.as_str() {
        "rate" => return rate(app, operator, drop, posted).await,
        "settings" => return settings(app, operator, drop, posted).await,
        "open" => drops::open(pool, line, id, now, &actor).await.map(|_| "open"),
        "pause" => {
            let own = posted.words.trim();
            let reason = if own.is_empty() { &posted.reason } else { own };
            drops::pause(pool, line, id, reason, &actor).await.map(|_| "pause")
        }
        "resume" => drops::resume(pool, line, id, &actor).await.map(|_| "resume"),
        "end" if posted.confirm.trim().eq_ignore_ascii_case(id.as_str()) => {
            drops::end(pool, line, id, &actor).await.map(|_| "end")
        }
        "end" => {
            return Err(Refusal::Field(format!("Nothing was ended. To end it for good, type its id: {id}")));
        }
        "notice" => {
            let lang = posted.lang.trim();
            let well_formed = !lang.is_empty() && lang.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !well_formed || lang.len() > 35 {
                return Err(Refusal::Field("The language is a short code: en, de, pt-BR.".to_owned()));
            }
            let text = posted.text.trim().to_owned();
            let notice = Notice::new(text, lang.to_owned(), now);
            drops::notice(pool, line, id, &notice, &actor).await.map(|()| "notice")
        }
        "brand" => return brand(app, operator, drop, posted).await,
        "no-logo" => drops::change_logo(pool, line, id, None, &actor).await.map(|_| "no-logo"),
        "withdraw" => drops::withdraw_notice(pool, line, id, now, &actor).await.map(|()| "withdrawn"),
        _ => return Err(Refusal::Field("The console does not know this form; load the page again.".to_owned())),
    }
    .map_err(Refusal::from)
}

/// From so many times the present rate on, a slip of the finger is likelier than the wish.
const LEAP: i32 = 5;

/// Another rate, unless somebody else set it since the page was shown: two people who both double it would
/// have meant something else.
async fn rate(app: &App, operator: &Operator, drop: &Drop, posted: &Posted) -> Result<&'static str, Refusal> {
    let rate = number(&posted.rate, "The rate")?;
    let current = drop.settings.rate_per_minute;
    if rate == current {
        return Ok("same");
    }
    if posted.from.parse() != Ok(current) {
        let words =
            format!("Somebody set it to {} meanwhile. If you still want yours, send it again.", grouped(current));
        return Err(Refusal::Stale(words));
    }
    if rate / LEAP >= current && posted.sure.parse() != Ok(rate) {
        return Err(Refusal::Leap { rate, times: rate / current });
    }
    let changes = Changes { rate_per_minute: Some(rate), ..Changes::default() };
    drops::change_seen(&app.pool, &app.line, &drop.id, drop.version, &changes, app.clock.now(), &operator.actor())
        .await?;
    Ok("rate")
}

/// The other settings: only what differs is changed and goes on record.
async fn settings(app: &App, operator: &Operator, drop: &Drop, posted: &Posted) -> Result<&'static str, Refusal> {
    let changes = changes(drop, posted)?;
    if serde_json::json!(changes) == serde_json::json!({}) {
        return Ok("same");
    }
    if posted.seen.parse() != Ok(drop.version) {
        let words = "Somebody changed the drop meanwhile; look at its record. If you still want this, save it again.";
        return Err(Refusal::Stale(words.to_owned()));
    }
    drops::change_seen(&app.pool, &app.line, &drop.id, drop.version, &changes, app.clock.now(), &operator.actor())
        .await?;
    Ok("settings")
}

/// Name and colour: only what differs is changed and goes on record.
async fn brand(app: &App, operator: &Operator, drop: &Drop, posted: &Posted) -> Result<&'static str, Refusal> {
    let current = &drop.settings.brand;
    let name = Some(posted.brand_name.trim()).filter(|name| !name.is_empty()).map(str::to_owned);
    let accent = match posted.accent.trim() {
        "" => None,
        typed => Some(Colour::parse(typed).ok_or_else(|| {
            Refusal::Field("The colour is # and six digits from 0 to 9 and a to f: #00695a.".to_owned())
        })?),
    };
    let brand = BrandChanges {
        name: (name != current.name).then_some(name),
        accent: (accent != current.accent).then_some(accent),
    };
    if brand == BrandChanges::default() {
        return Ok("same");
    }
    let changes = Changes { brand: Some(brand), ..Changes::default() };
    drops::change(&app.pool, &app.line, &drop.id, &changes, app.clock.now(), &operator.actor()).await?;
    Ok("brand")
}

fn changes(drop: &Drop, posted: &Posted) -> Result<Changes, Refusal> {
    let s = &drop.settings;
    let differs =
        |text: &str, name: &str, current: i32| number(text, name).map(|value| (value != current).then_some(value));
    let title = posted.title.trim();
    let join_requires = JoinRequires::parse(&posted.join_requires).unwrap_or_default();
    let draw_source = posted.draw_source.as_deref().and_then(DrawSource::parse);
    Ok(Changes {
        title: (title != s.title).then(|| title.to_owned()),
        max_active: differs(&posted.max_active, label("max_active"), s.max_active)?,
        claim_window_s: differs(&posted.claim_window_s, label("claim_window_s"), s.claim_window_s)?,
        grace_s: differs(&posted.grace_s, label("grace_s"), s.grace_s)?,
        session_s: differs(&posted.session_s, label("session_s"), s.session_s)?,
        max_per_fan: differs(&posted.max_per_fan, label("max_per_fan"), s.max_per_fan)?,
        opens_at: opens_at(posted.opens_at.as_deref(), s.opens_at)?,
        join_requires: (join_requires != s.join_requires).then_some(join_requires),
        draw_source: draw_source.filter(|source| *source != s.draw_source),
        ..Changes::default()
    })
}

/// The opening as typed, in UTC; `None` when it is as it was.
fn opens_at(typed: Option<&str>, current: Option<Timestamp>) -> Result<Option<Option<Timestamp>>, Refusal> {
    match typed {
        None => Ok(None),
        Some(typed) if typed.trim() == current.map(local).unwrap_or_default() => Ok(None),
        Some(typed) => time(typed).map(Some),
    }
}
