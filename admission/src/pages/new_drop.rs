use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use shared::{
    pages::{Form, see_other},
    problem::Problem,
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    drops::list,
    typed::{Refusal, number, time},
};
use crate::{
    app::App,
    drops::{self, DrawSource, DropError, NewDrop, Settings},
    extract::OnPage,
    ids::DropId,
    operators::Operator,
};

/// Events offered at once; more are put on sale by the command line.
const OFFERED: i64 = 50;

/// The form, empty or as it was typed.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) rate: String,
    pub(super) opens_at: String,
    draw_source: String,
    events: Vec<Uuid>,
    /// Why it was refused.
    pub(super) refused: Option<String>,
}

/// An event that has tickets and is in no drop.
#[derive(sqlx::FromRow)]
pub(super) struct Offer {
    pub(super) event_id: Uuid,
    pub(super) name: String,
    pub(super) date: String,
    pub(super) venue: String,
}

/// What could be put on sale, the soonest first.
pub(super) async fn offers(pool: &PgPool) -> sqlx::Result<Vec<Offer>> {
    sqlx::query_as(
        "SELECT e.event_id, e.name, to_char(e.date, 'YYYY-MM-DD') AS date, v.name AS venue \
           FROM events e JOIN venues v USING (venue_id) \
          WHERE e.date >= current_date \
            AND EXISTS (SELECT FROM tickets t WHERE t.event_id = e.event_id) \
            AND NOT EXISTS (SELECT FROM drop_events d WHERE d.event_id = e.event_id) \
          ORDER BY e.date, e.name LIMIT $1",
    )
    .bind(OFFERED)
    .fetch_all(pool)
    .await
}

/// `POST /ops/drops`: makes a drop and leads to its console.
pub(super) async fn make(
    State(app): State<App>,
    OnPage(operator): OnPage,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut typed = Typed::read(fields);
    match create(&app, &operator, &typed).await {
        Ok(id) => Ok(see_other(&format!("/ops/drops/{id}?done=made"))),
        Err(refusal) => {
            let refused = refusal.told("new")?;
            typed.refused = Some(refused.words);
            Ok((refused.status, list(&app, &operator, typed).await?).into_response())
        }
    }
}

async fn create(app: &App, operator: &Operator, typed: &Typed) -> Result<DropId, Refusal> {
    let slug = "The id is short and in small letters, digits and hyphens: an-evening";
    let id = DropId::parse(typed.id.trim()).ok_or_else(|| Refusal::Field(slug.to_owned()))?;
    if typed.events.is_empty() {
        return Err(Refusal::Field("Choose what it sells: at least one event.".to_owned()));
    }
    let settings = Settings {
        title: typed.title.trim().to_owned(),
        opens_at: time(&typed.opens_at)?,
        draw_source: DrawSource::parse(&typed.draw_source).unwrap_or_default(),
        ..Settings::at_rate(number(&typed.rate, "The rate")?)
    };
    let new = NewDrop { id, events: typed.events.clone(), settings };
    match drops::create(&app.pool, &app.line, &new, &operator.actor()).await {
        // made; the keeper makes its line as soon as Redis can be reached
        Ok(_) | Err(DropError::Line(_)) => Ok(new.id),
        Err(error) => Err(error.into()),
    }
}

impl Typed {
    /// A form of pairs, because an event may come more than once.
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "drop" => typed.id = value,
                "title" => typed.title = value,
                "rate" => typed.rate = value,
                "opens_at" => typed.opens_at = value,
                "draw_source" => typed.draw_source = value,
                "event" => typed.events.extend(value.parse::<Uuid>()),
                _ => {}
            }
        }
        typed
    }

    pub(super) fn by_beacon(&self) -> bool {
        DrawSource::parse(&self.draw_source) == Some(DrawSource::Beacon)
    }

    pub(super) fn has(&self, event: &Uuid) -> bool {
        self.events.contains(event)
    }
}
