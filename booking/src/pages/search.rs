//! `GET /search`: the same search as `/events/search`, to be read and refined by links and one plain form.

mod asked;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use shared::{
    pages::{self, Site},
    problem::Problem,
};
use uuid::Uuid;

use self::asked::Asked;
use super::{
    sale::{self, Card, Stand},
    words,
};
use crate::{
    app::App,
    catalogue::{availability::Availability, events::Event, on_sale::OnSale},
    error::Error,
    routes::{
        cached::Page,
        search::{FindError, Hits, find, unshare},
    },
    search::{
        SearchError,
        query::{FacetValue, Params, Query},
    },
};

/// Values of a facet that are shown at once; the others open.
const VALUES_SHOWN: usize = 6;
/// Sales shown above the results.
const ON_SALE_SHOWN: usize = 3;
/// Works and performers named in a result.
const NAMES_SHOWN: usize = 3;

#[derive(Template)]
#[template(path = "search.html")]
struct Results<'a> {
    site: Site,
    asked: &'a Asked,
    /// `18,806 events`; none when the query cannot be run.
    total: Option<String>,
    items: Vec<Item>,
    /// On sale or soon, and found on a later page only.
    on_sale: Vec<Card>,
    facets: Vec<Facet>,
    /// What narrows the search, each with the link that takes it away.
    narrowed: Vec<Link>,
    more: Option<String>,
    /// The link to the first page, on a later one.
    first: Option<String>,
    fault: Option<Fault>,
    suggestions: Vec<Link>,
}

/// What is wrong with a field of the form.
struct Fault {
    field: &'static str,
    words: String,
}

impl Results<'_> {
    /// What is wrong with this field.
    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }

    /// What is wrong with something the form does not show.
    fn fault_elsewhere(&self) -> Option<&str> {
        let shown = ["q", "from", "to"];
        self.fault.as_ref().filter(|fault| !shown.contains(&fault.field)).map(|fault| fault.words.as_str())
    }
}

struct Item {
    card: Card,
    /// Composers or performers, whichever say more.
    names: String,
}

struct Facet {
    title: &'static str,
    shown: Vec<Link>,
    /// Behind a click.
    rest: Vec<Link>,
}

/// A way to another search.
pub(crate) struct Link {
    pub(crate) words: String,
    pub(crate) href: String,
    pub(crate) count: Option<String>,
    /// Chosen already: the link takes it away.
    pub(crate) is_on: bool,
}

pub(crate) async fn show(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::read(raw.as_deref().unwrap_or_default());
    let query = match Query::parse(asked.params()) {
        Ok(query) => query,
        Err(refused) => return refuse(&app, &asked, &refused),
    };
    let key = format!("page {} {asked:?} {}", app.search.generation(), query.key());
    match app.answers.try_get_with(key, answer(&app, &asked, query)).await {
        Ok(page) => Ok(page.respond(&headers)),
        Err(error) => match error.as_ref() {
            FindError::Search(refused @ SearchError::Malformed { .. }) => refuse(&app, &asked, refused),
            _ => Err(unshare(error).into()),
        },
    }
}

async fn answer(app: &App, asked: &Asked, query: Query) -> Result<Page, FindError> {
    let now = app.clock.now();
    let sales = sales(app).await?;
    let on_sale = match asked.get("cursor") {
        None => find_on_sale(app, &query, &sales).await?,
        Some(_) => Vec::new(), // said on the first page
    };
    let hits = find(app, query).await?;
    let shown: HashSet<Uuid> = hits.events.iter().map(|(event, _)| event.event_id).collect();
    let elsewhere = on_sale.iter().filter(|sale| !shown.contains(&sale.event.event_id));
    let mut on_sale = sale::cards(app, elsewhere.take(ON_SALE_SHOWN).copied()).await?;
    on_sale.retain(|card| card.stand.takes_fans()); // not what has sold out by now
    let suggestions = match hits.total {
        0 => asked.looser(),
        _ => Vec::new(),
    };
    Ok(Page::html(&Results {
        site: app.site.clone(),
        asked,
        total: Some(words::counted(hits.total as u64, "event", "events")),
        facets: facets(asked, &hits),
        items: hits.events.iter().map(|(event, counted)| item(event, &sales, counted.as_deref(), now)).collect(),
        on_sale,
        narrowed: asked.narrowed(),
        more: hits.next_cursor.as_deref().map(|cursor| asked.with(&[("cursor", Some(cursor))])),
        first: asked.get("cursor").map(|_| asked.with(&[])),
        fault: None,
        suggestions,
    })?)
}

/// 400: the form again, with what is wrong beside its field.
fn refuse(app: &App, asked: &Asked, refused: &SearchError) -> Result<Response, Problem> {
    let SearchError::Malformed { field, wanted } = refused else {
        return Err(Problem::internal(anyhow::anyhow!("{refused}")));
    };
    let fault = Fault { field, words: fault_words(field, wanted) };
    let page = pages::page(&Results {
        site: app.site.clone(),
        asked,
        total: None,
        items: Vec::new(),
        on_sale: Vec::new(),
        facets: Vec::new(),
        narrowed: asked.narrowed(),
        more: None,
        first: None,
        fault: Some(fault),
        suggestions: Vec::new(),
    });
    Ok((StatusCode::BAD_REQUEST, page).into_response())
}

fn fault_words(field: &str, wanted: &str) -> String {
    match field {
        "q" => format!("What you are looking for {wanted}. Use fewer."),
        "from" => format!("The first day {wanted}."),
        "to" => format!("The last day {wanted}."),
        "cursor" => "This page belongs to another search. Begin again from its first page.".to_owned(),
        other => format!("The address of this page cannot be read: {other} {wanted}."),
    }
}

/// What fans may line up for now or soon, by event; nothing while nobody can say.
async fn sales(app: &App) -> Result<HashMap<Uuid, OnSale>, Error> {
    let now = app.clock.now();
    let listed = match app.on_sales.from(&app.pool, sale::since(now)).await {
        Ok(listed) => listed,
        Err(outage) if outage.is_outage() => return Ok(HashMap::new()),
        Err(mistake) => return Err(mistake.into()),
    };
    let open = listed.iter().filter(|sale| Stand::of(&sale.event, Some(&sale.drop), None, now).takes_fans());
    Ok(open.map(|sale| (sale.event.event_id, sale.clone())).collect())
}

/// The sales among what is looked for, the best match first.
async fn find_on_sale<'a>(
    app: &App,
    query: &Query,
    sales: &'a HashMap<Uuid, OnSale>,
) -> Result<Vec<&'a OnSale>, FindError> {
    if sales.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = query.clone();
    query.among = Some(Arc::new(sales.keys().copied().collect()));
    let found = app.search.find(query).await?;
    Ok(found.events.iter().filter_map(|event| sales.get(&event.event_id)).collect())
}

fn item(event: &Event, sales: &HashMap<Uuid, OnSale>, counted: Option<&Availability>, now: Timestamp) -> Item {
    let composers = event.works.iter().map(|work| work.composer.as_str());
    let performers = event.performers.iter().map(|performer| performer.name.as_str());
    let said = |name: &&str| !name.is_empty() && !event.name.contains(*name);
    Item {
        names: first_few(composers.filter(said), performers.filter(said)),
        card: match sales.get(&event.event_id) {
            Some(sale) => Card::new(event, Some(&sale.drop), counted, now),
            None => Card::of_found(event, counted, now),
        },
    }
}

/// The first few of both, each once.
fn first_few<'a>(composers: impl Iterator<Item = &'a str>, performers: impl Iterator<Item = &'a str>) -> String {
    let mut named: Vec<&str> = Vec::new();
    let half = |named: &mut Vec<&'a str>, names: &mut dyn Iterator<Item = &'a str>, max: usize| {
        for name in names {
            if named.len() < max && !named.contains(&name) {
                named.push(name);
            }
        }
    };
    let (mut composers, mut performers) = (composers, performers);
    half(&mut named, &mut performers, NAMES_SHOWN);
    half(&mut named, &mut composers, 2 * NAMES_SHOWN);
    named.join(", ")
}

fn facets(asked: &Asked, hits: &Hits) -> Vec<Facet> {
    let titled = [("category", "Kind"), ("city", "City"), ("venue", "Venue")];
    let facet = |(name, title): (&'static str, &'static str)| {
        let values = hits.facets.get(name)?;
        let link = |value: &FacetValue| asked.facet(name, &value.value, value.count);
        // the only value of all that was found narrows nothing
        let says_something = values.len() > 1 || asked.get(name).is_some();
        let mut shown: Vec<Link> = values.iter().filter(|_| says_something).map(link).collect();
        let rest = shown.split_off(shown.len().min(VALUES_SHOWN));
        (!shown.is_empty()).then_some(Facet { title, shown, rest })
    };
    titled.into_iter().filter_map(facet).collect()
}

/// The venues with the most events, each a search.
pub(super) async fn venues(app: &App, max: usize) -> Result<Vec<Link>, Error> {
    let query = Query::parse(Params::from_pairs([("limit", "1")].into_iter())).map_err(Error::from)?;
    let hits = find(app, query).await?;
    let nothing = Asked::default();
    let values = hits.facets.get("venue").map_or(&[][..], Vec::as_slice);
    Ok(values.iter().take(max).map(|venue| nothing.facet("venue", &venue.value, venue.count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_each_once() {
        let performers = ["Ada", "Ben", "Ada", "Cas", "Dan"];
        let composers = ["Mahler", "Ada", "Mahler", "Weber", "Bach", "Hummel"];
        let named = first_few(composers.into_iter(), performers.into_iter());
        assert_eq!(named, "Ada, Ben, Cas, Mahler, Weber, Bach");
        assert_eq!(first_few([].into_iter(), [].into_iter()), "");
    }
}
