//! A drop's console: its figures each second, and all that steers it.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use shared::{
    json::{Path, Query},
    pages::{Site, page},
    problem::Problem,
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    steer::Posted,
    typed::{Refused, local},
    words::{self, Figures, Moment, Told, grouped, moment, pace, tell},
};
use crate::{
    app::App,
    audit,
    brand::Palette,
    drops::{self, DrawSource, Drop, JoinRequires, State as Stored, WORDS_MAX},
    error::Error,
    extract::OnPage,
    line::{LineError, Notice},
    operators::Operator,
    routes::{drop::drop_id, live::Live},
};

/// Entries of the audit on the page.
const AUDIT: u32 = 20;
/// How long the page waits for the line.
const PATIENCE: Duration = Duration::from_secs(1);
/// What fans read in a pause, at a tap.
const REASONS: [&str; 4] = [
    "We pause for a moment. You keep your place.",
    "A technical problem is being mended. You keep your place.",
    "The ticket shop is very busy. You keep your place; it goes on soon.",
    "Payments are slow right now. We wait for them; you keep your place.",
];

/// The plots: what `console.js` calls them, and people.
const PLOTS: [(&str, &str); 4] =
    [("waiting", "Waiting"), ("rate", "Let in a second"), ("active", "Inside"), ("sold", "Sold")];

#[derive(Deserialize, Default)]
pub(super) struct Ask {
    /// What a form did just now.
    done: Option<String>,
    /// Without scripts: ask again every few seconds. Not by itself, it would take away what one is typing.
    #[serde(default)]
    watch: bool,
}

#[derive(Template)]
#[template(path = "ops_drop.html")]
struct Page<'a> {
    site: Site,
    operator: &'a str,
    drop: &'a Drop,
    title: &'a str,
    events: Vec<Event>,
    /// The line's word for the state; the stored one while the line cannot be read.
    word: &'static str,
    badge: (&'static str, &'static str),
    /// Paused by the watchdog, not by an operator: it resumes as it paused.
    paused_by_itself: bool,
    /// What fans read while it is paused by itself.
    reason: String,
    figures: Figures,
    /// Why there are no figures.
    blind: Option<&'static str>,
    now: Moment,
    opens_at: Option<Moment>,
    is_open: bool,
    list_closed: bool,
    list_closes_at: Option<Moment>,
    palette: Option<Palette>,
    rate: String,
    pace: String,
    max_active: String,
    /// So many may be inside that it says nothing.
    is_boundless: bool,
    /// A rate so much higher that it wants a second look, and as people read it.
    leap: Option<(i32, String)>,
    /// The rate before this one, and as people read it.
    rate_before: Option<(i32, String)>,
    notice: Option<(Moment, Notice)>,
    reasons: [&'static str; 4],
    said: Option<String>,
    /// What was done is stored, and not obeyed yet.
    is_pending: bool,
    refused: Option<Refused>,
    fields: Fields,
    audit: Vec<Told>,
    watch: bool,
}

/// An event of the drop.
#[derive(sqlx::FromRow)]
struct Event {
    event_id: Uuid,
    name: String,
}

/// What stands in the forms: as it is, or as it was typed when that was refused.
struct Fields {
    title: String,
    rate: String,
    reason: String,
    words: String,
    text: String,
    lang: String,
    max_active: String,
    claim_window_s: String,
    grace_s: String,
    session_s: String,
    max_per_fan: String,
    /// UTC, as `datetime-local` has it.
    opens_at: String,
    needs_account: bool,
    by_beacon: bool,
    brand_name: String,
    accent: String,
}

/// `GET /ops/drops/{id}`
pub(super) async fn show(
    State(app): State<App>,
    OnPage(operator): OnPage,
    Path(id): Path<String>,
    Query(ask): Query<Ask>,
) -> Result<Response, Problem> {
    let drop = drops::show(&app.pool, &drop_id(&id)?).await.map_err(Error::from)?;
    render(&app, &operator, &drop, &ask, None).await
}

/// The page again, with what was typed and why it was refused.
pub(super) async fn refuse(
    app: &App,
    operator: &Operator,
    drop: &Drop,
    posted: &Posted,
    refused: Refused,
) -> Result<Response, Problem> {
    let status = refused.status;
    let page = render(app, operator, drop, &Ask::default(), Some((refused, posted))).await?;
    Ok((status, page).into_response())
}

async fn render(
    app: &App,
    operator: &Operator,
    drop: &Drop,
    ask: &Ask,
    refused: Option<(Refused, &Posted)>,
) -> Result<Response, Problem> {
    let (live, blind) = figures(app, drop).await;
    let audit = audit::list(&app.pool, Some(drop.id.as_str()), None, AUDIT).await.map_err(Error::from)?;
    let rates = audit::rates(&app.pool, &drop.id).await.map_err(Error::from)?;
    let rate = drop.settings.rate_per_minute;
    let now = app.clock.now();
    let word = live.as_ref().map_or(words::stored(drop.state), Live::word);
    let (refused, posted) = refused.map_or((None, None), |(refused, posted)| (Some(refused), Some(posted)));
    Ok(page(&Page {
        site: app.site.clone(),
        operator: &operator.email,
        drop,
        title: words::title(drop),
        events: events(&app.pool, drop).await.map_err(Error::from)?,
        word,
        badge: words::state(word),
        paused_by_itself: word == "paused" && drop.state == Stored::Running,
        reason: live.as_ref().map(|live| live.reason.clone()).unwrap_or_default(),
        figures: Figures::new(live.as_ref()),
        notice: live.and_then(|live| live.notice).map(|notice| (moment(notice.at), notice)),
        blind,
        now: moment(now),
        opens_at: drop.settings.opens_at.map(moment),
        is_open: drop.settings.opens_at.is_some_and(|at| at <= now),
        list_closed: drop.lobby_closes_at.or(drop.settings.opens_at).is_some_and(|at| at <= now),
        list_closes_at: drop.lobby_closes_at.or(drop.settings.opens_at).map(moment),
        palette: drop.settings.brand.accent.map(Palette::of),
        rate: grouped(rate),
        pace: pace(rate),
        max_active: grouped(drop.settings.max_active),
        is_boundless: drop.settings.max_active >= drops::Settings::BOUNDLESS,
        leap: refused.as_ref().and_then(|refused| refused.leap).map(|leap| (leap, grouped(leap))),
        rate_before: rates.into_iter().find(|before| *before != rate).map(|before| (before, grouped(before))),
        reasons: REASONS,
        said: ask.done.as_deref().and_then(|done| said(done, drop)),
        is_pending: ask.done.as_deref() == Some("stored"),
        fields: Fields::new(drop, refused.as_ref(), posted),
        refused,
        audit: audit.into_iter().map(tell).collect(),
        watch: ask.watch,
    }))
}

/// What the line says, or why it says nothing.
async fn figures(app: &App, drop: &Drop) -> (Option<Live>, Option<&'static str>) {
    match tokio::time::timeout(PATIENCE, app.line.watch(&drop.id, None, false)).await {
        Ok(Ok((state, watched))) => (Some(Live::new(&state, &watched.counts, 0)), None),
        Ok(Err(LineError::Restoring)) => (None, Some("The line is being restored. Fans keep their places.")),
        Ok(Err(_)) | Err(_) => (None, Some("The line cannot be read: Redis does not answer. Fans keep their places.")),
    }
}

async fn events(pool: &PgPool, drop: &Drop) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as("SELECT event_id, name FROM events WHERE event_id = ANY($1) ORDER BY date, name")
        .bind(&drop.events)
        .fetch_all(pool)
        .await
}

/// Fixed words for what was done; an unknown word says nothing.
fn said(done: &str, drop: &Drop) -> Option<String> {
    let rate = grouped(drop.settings.rate_per_minute);
    Some(match done {
        "made" => "The drop is made. Fans may gather until it opens.".to_owned(),
        "rate" => format!("The rate is {rate} a minute now."),
        "open" => format!("It is open. Fans are let in at {rate} a minute."),
        "pause" => "It is paused. Nobody is let in, and nobody loses a place.".to_owned(),
        "resume" => format!("It goes on, at {rate} a minute."),
        "end" => "It has ended. Who is inside may finish.".to_owned(),
        "notice" => "Fans read your notice now.".to_owned(),
        "withdrawn" => "The notice is taken back. Nobody reads it any more.".to_owned(),
        "brand" => "Fans see the brand now.".to_owned(),
        "logo" => "Fans see the logo now.".to_owned(),
        "no-logo" => "The logo is taken away.".to_owned(),
        "settings" => "The settings are saved.".to_owned(),
        "same" => "It is like that already; nothing was changed.".to_owned(),
        "stored" => "It is stored, but the line cannot be reached. It obeys within a second of its return.".to_owned(),
        _ => return None,
    })
}

impl Fields {
    fn new(drop: &Drop, refused: Option<&Refused>, posted: Option<&Posted>) -> Self {
        let typed = |control: &str| posted.filter(|_| refused.is_some_and(|refused| refused.control == control));
        let kept = |control: &str, field: fn(&Posted) -> &String| typed(control).map(|posted| field(posted).clone());
        let s = &drop.settings;
        let setting = |field: fn(&Posted) -> &String, value: i32| kept("settings", field).unwrap_or(value.to_string());
        Self {
            title: kept("settings", |posted| &posted.title).unwrap_or_else(|| s.title.clone()),
            rate: kept("rate", |posted| &posted.rate).unwrap_or(s.rate_per_minute.to_string()),
            reason: kept("pause", |posted| &posted.reason).unwrap_or(REASONS[0].to_owned()),
            words: kept("pause", |posted| &posted.words).unwrap_or_default(),
            text: kept("notice", |posted| &posted.text).unwrap_or_default(),
            lang: kept("notice", |posted| &posted.lang).unwrap_or("en".to_owned()),
            max_active: setting(|posted| &posted.max_active, s.max_active),
            claim_window_s: setting(|posted| &posted.claim_window_s, s.claim_window_s),
            grace_s: setting(|posted| &posted.grace_s, s.grace_s),
            session_s: setting(|posted| &posted.session_s, s.session_s),
            max_per_fan: setting(|posted| &posted.max_per_fan, s.max_per_fan),
            opens_at: typed("settings")
                .and_then(|posted| posted.opens_at.clone())
                .unwrap_or(s.opens_at.map(local).unwrap_or_default()),
            needs_account: typed("settings")
                .map_or(s.join_requires, |posted| JoinRequires::parse(&posted.join_requires).unwrap_or_default())
                == JoinRequires::Account,
            by_beacon: typed("settings")
                .and_then(|posted| posted.draw_source.as_deref().and_then(DrawSource::parse))
                .unwrap_or(s.draw_source)
                == DrawSource::Beacon,
            brand_name: kept("brand", |posted| &posted.brand_name)
                .unwrap_or_else(|| s.brand.name.clone().unwrap_or_default()),
            accent: kept("brand", |posted| &posted.accent)
                .unwrap_or_else(|| s.brand.accent.map(|accent| accent.to_string()).unwrap_or_default()),
        }
    }
}

impl Page<'_> {
    /// Why the control's form was refused.
    fn refused_at(&self, control: &str) -> Option<&str> {
        self.refused.as_ref().filter(|refused| refused.control == control).map(|refused| refused.words.as_str())
    }
}
