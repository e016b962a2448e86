use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use shared::{
    json::Query,
    pages::{Site, page},
    problem::Problem,
};

use super::{
    new_drop::{Offer, Typed, offers},
    sign_in::{self, Why},
    words::{self, Figures, Moment, grouped, moment},
};
use crate::{
    app::App,
    drops::{self, Drop},
    error::Error,
    extract::SignedIn,
    line::LineError,
    operators::Operator,
    routes::live::Live,
};

/// Lines read at a time.
const AT_ONCE: usize = 32;
/// How long the list waits for the lines: without their figures it is still of use.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Way {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "ops_drops.html")]
struct Page<'a> {
    site: Site,
    operator: &'a str,
    drops: Vec<Row>,
    /// Some line could not be read: Redis is away.
    is_blind: bool,
    offers: Vec<Offer>,
    new: Typed,
    /// For the example of a command, which must not name a day that is over.
    next_year: i16,
}

struct Row {
    id: String,
    title: String,
    state: (&'static str, &'static str),
    rate: String,
    opens_at: Option<Moment>,
    is_open: bool,
    figures: Figures,
}

/// `GET /ops`: all drops; the sign-in for whoever is not signed in.
pub(super) async fn show(
    State(app): State<App>,
    Query(way): Query<Way>,
    headers: HeaderMap,
    operator: Result<SignedIn, Error>,
) -> Result<Response, Problem> {
    let next = way.next.as_deref();
    match operator {
        Ok(SignedIn(operator)) => match next {
            // the cookie that a link from elsewhere could not bring along is here now
            Some(_) => Ok(sign_in::onwards(next)),
            None => list(&app, &operator, Typed::default()).await,
        },
        Err(Error::SessionMissing) => Ok(sign_in::form(&app, next, Why::Missing, &headers)),
        Err(Error::SessionInvalid) => Ok(sign_in::form(&app, next, Why::Over, &headers)),
        Err(error) => Ok(error.into_response()),
    }
}

/// The list, with the form for a new drop as it was typed.
pub(super) async fn list(app: &App, operator: &Operator, new: Typed) -> Result<Response, Problem> {
    let drops = drops::list(&app.pool).await.map_err(Error::from)?;
    let (figures, is_blind) = figures(app, &drops).await;
    let now = app.clock.now();
    let rows = drops.iter().zip(figures).map(|(drop, live)| Row::new(drop, live.as_ref(), now)).collect();
    let offers = offers(&app.pool).await.map_err(Error::from)?;
    let next_year = now.to_zoned(TimeZone::UTC).year() + 1;
    let site = app.site.clone();
    Ok(page(&Page { site, operator: &operator.email, drops: rows, is_blind, offers, new, next_year }))
}

/// What each line says, and whether some could not say it.
async fn figures(app: &App, drops: &[Drop]) -> (Vec<Option<Live>>, bool) {
    let looks: Vec<_> = drops.iter().map(|drop| app.line.watch(&drop.id, None, false)).collect();
    let read = stream::iter(looks)
        .buffered(AT_ONCE)
        .map(|answer| match answer {
            Ok((state, watched)) => Ok(Some(Live::new(&state, &watched.counts, 0))),
            // a drop that ended long ago has no line any more
            Err(LineError::Restoring) => Ok(None),
            Err(error) => Err(error),
        })
        .collect::<Vec<_>>();
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(answers) => {
            let is_blind = answers.iter().any(Result::is_err);
            (answers.into_iter().map(|answer| answer.unwrap_or_default()).collect(), is_blind)
        }
        Err(_) => (drops.iter().map(|_| None).collect(), true),
    }
}

impl Row {
    fn new(drop: &Drop, live: Option<&Live>, now: Timestamp) -> Self {
        Self {
            id: drop.id.to_string(),
            title: words::title(drop).to_owned(),
            state: words::state(live.map_or(words::stored(drop.state), |live| live.state)),
            rate: grouped(drop.settings.rate_per_minute),
            opens_at: drop.settings.opens_at.map(moment),
            is_open: drop.settings.opens_at.is_some_and(|at| at <= now),
            figures: Figures::new(live),
        }
    }
}
