//! The language of `GET /events/search`: from parameters to a query, from a query to results.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
    sync::Arc,
};

use jiff::civil;
use serde::{Deserialize, Serialize};
use shared::encoding;
use tantivy::{
    DocAddress, Order, Searcher, TantivyDocument, Term,
    aggregation::{AggregationCollector, agg_req::Aggregations, agg_result::AggregationResults},
    collector::{Count, TopDocs},
    query::{
        AllQuery, BooleanQuery, BoostQuery, EmptyQuery, FuzzyTermQuery, Occur, PhraseQuery, Query as Clause,
        RangeQuery, TermQuery, TermSetQuery,
    },
    schema::{Field, IndexRecordOption},
};
use uuid::Uuid;

use super::{
    SearchError,
    cursor::{Cursor, OFFSET_MAX},
    index::{self, FACETS, Index},
};
use crate::catalogue::events::Event;

/// Results on one page, at most and by default.
const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 20;
/// Characters in a search or a filter.
const TEXT_CHARS_MAX: usize = 200;
/// Words in a search.
const WORDS_MAX: usize = 16;
/// Values listed of each facet, the most frequent first.
const FACET_VALUES_MAX: usize = 20;

/// The URL's parameters; empty ones, as forms send them, count as absent.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Params {
    /// Words, in any order; quoted ones together; small mistakes are forgiven.
    q: Option<String>,
    category: Option<String>,
    city: Option<String>,
    venue: Option<String>,
    performer: Option<String>,
    /// First day, YYYY-MM-DD. Without it past events are found, too.
    from: Option<String>,
    /// Last day, YYYY-MM-DD.
    to: Option<String>,
    /// true: only events with tickets left.
    available: Option<String>,
    /// relevance (by default with `q`), date (by default without) or -date.
    sort: Option<String>,
    /// 1 to 100; 20 by default.
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Params {
    /// The names of all parameters.
    pub(crate) const NAMES: [&str; 11] =
        ["q", "category", "city", "venue", "performer", "from", "to", "available", "sort", "limit", "cursor"];

    /// From a URL that may carry more than is ours, as links do after their way through mails and posts.
    pub(crate) fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            let param = match name {
                "q" => &mut params.q,
                "category" => &mut params.category,
                "city" => &mut params.city,
                "venue" => &mut params.venue,
                "performer" => &mut params.performer,
                "from" => &mut params.from,
                "to" => &mut params.to,
                "available" => &mut params.available,
                "sort" => &mut params.sort,
                "limit" => &mut params.limit,
                "cursor" => &mut params.cursor,
                _ => continue,
            };
            *param = Some(value.to_owned());
        }
        params
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Relevance,
    Date,
    DateDescending,
}

/// A search that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    q: Option<String>,
    category: Option<String>,
    city: Option<String>,
    venue: Option<String>,
    performer: Option<String>,
    from: Option<civil::Date>,
    to: Option<civil::Date>,
    /// Only events with tickets left were asked for.
    pub(crate) available: bool,
    /// The only events that may be found; filled in by who knows which have tickets left.
    pub(crate) among: Option<Arc<HashSet<Uuid>>>,
    sort: Sort,
    limit: usize,
    cursor: Option<Cursor>,
}

/// One page of results.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) events: Vec<Event>,
    pub(crate) total: usize,
    pub(crate) facets: BTreeMap<&'static str, Vec<FacetValue>>,
    pub(crate) next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FacetValue {
    pub(crate) value: String,
    pub(crate) count: u64,
}

impl Query {
    pub(crate) fn parse(params: Params) -> Result<Self, SearchError> {
        let q = text("q", params.q)?;
        let mut query = Query {
            sort: match given(params.sort).as_deref() {
                None if q.is_some() => Sort::Relevance,
                None | Some("date") => Sort::Date,
                Some("relevance") => Sort::Relevance,
                Some("-date") => Sort::DateDescending,
                Some(_) => return Err(malformed("sort", "is relevance, date or -date")),
            },
            available: match given(params.available).as_deref() {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(malformed("available", "is true or false")),
            },
            limit: match given(params.limit) {
                None => LIMIT_DEFAULT,
                Some(limit) => limit
                    .parse()
                    .ok()
                    .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                    .ok_or_else(|| malformed("limit", format!("is 1 to {LIMIT_MAX}")))?,
            },
            q,
            category: text("category", params.category)?,
            city: text("city", params.city)?,
            venue: text("venue", params.venue)?,
            performer: text("performer", params.performer)?,
            from: date("from", params.from)?,
            to: date("to", params.to)?,
            among: None,
            cursor: None,
        };
        if let Some(cursor) = given(params.cursor) {
            let cursor = Cursor::decode(&cursor, query.digest()).filter(|cursor| query.may_follow(*cursor));
            query.cursor = Some(cursor.ok_or_else(|| malformed("cursor", "belongs to another search"))?);
        }
        Ok(query)
    }

    /// Tells queries with different answers apart.
    pub(crate) fn key(&self) -> String {
        format!("{:?}", Query { among: None, ..self.clone() })
    }

    /// Tells searches apart, whatever the page.
    fn digest(&self) -> [u8; 8] {
        let search = Query { cursor: None, among: None, limit: 0, ..self.clone() };
        let digest = encoding::sha256(&[format!("{search:?}").as_bytes()]);
        let (head, _) = digest.split_first_chunk::<8>().expect("32 bytes have 8");
        *head
    }

    fn may_follow(&self, cursor: Cursor) -> bool {
        matches!(cursor, Cursor::Offset(_)) == (self.sort == Sort::Relevance)
    }
}

/// Runs the query: blocking, a few milliseconds.
pub(super) fn run(index: &Index, query: &Query) -> Result<Found, SearchError> {
    let searcher = index.searcher();
    let search = clause(index, &searcher, query)?;
    let aggregations: Aggregations = serde_json::from_value(facet_request())?;
    let counting = AggregationCollector::from_aggs(aggregations, Default::default());
    let (total, counted) = searcher.search(&search, &(Count, counting))?;

    let (addresses, next) = match query.sort {
        Sort::Relevance => by_relevance(&searcher, &search, query, total)?,
        Sort::Date => by_date(index, &searcher, search, query, Order::Asc)?,
        Sort::DateDescending => by_date(index, &searcher, search, query, Order::Desc)?,
    };
    let mut events = Vec::with_capacity(addresses.len());
    for address in addresses {
        events.push(index.stored(&searcher.doc::<TantivyDocument>(address)?)?);
    }
    let next_cursor = next.map(|cursor| cursor.encode(query.digest()));
    Ok(Found { events, total, facets: facets(&counted)?, next_cursor })
}

type Page = (Vec<DocAddress>, Option<Cursor>);

fn by_relevance(searcher: &Searcher, search: &dyn Clause, query: &Query, total: usize) -> Result<Page, SearchError> {
    let Some(Cursor::Offset(offset)) = query.cursor.or(Some(Cursor::Offset(0))) else {
        return Err(malformed("cursor", "belongs to another search"));
    };
    let top = searcher.search(search, &TopDocs::with_limit(query.limit).and_offset(offset).order_by_score())?;
    let shown = offset + top.len();
    let next = (shown < total && shown <= OFFSET_MAX && !top.is_empty()).then_some(Cursor::Offset(shown));
    Ok((top.into_iter().map(|(_, address)| address).collect(), next))
}

fn by_date(
    index: &Index,
    searcher: &Searcher,
    search: Box<dyn Clause>,
    query: &Query,
    order: Order,
) -> Result<Page, SearchError> {
    let search = match query.cursor {
        Some(Cursor::After(shown)) => {
            let shown = Term::from_field_u64(index.fields.order, shown);
            let rest = match order {
                Order::Asc => RangeQuery::new(Bound::Excluded(shown), Bound::Unbounded),
                Order::Desc => RangeQuery::new(Bound::Unbounded, Bound::Excluded(shown)),
            };
            all_of(vec![search, Box::new(rest)])
        }
        _ => search,
    };
    let collector = TopDocs::with_limit(query.limit + 1).order_by_fast_field::<u64>("order", order);
    let mut top = searcher.search(&search, &collector)?;
    let more = top.len() > query.limit;
    top.truncate(query.limit);
    let last = top.last().and_then(|(order, _)| *order);
    let next = last.filter(|_| more).map(Cursor::After);
    Ok((top.into_iter().map(|(_, address)| address).collect(), next))
}

fn clause(index: &Index, searcher: &Searcher, query: &Query) -> Result<Box<dyn Clause>, SearchError> {
    let f = &index.fields;
    let mut clauses = Vec::new();
    if let Some(q) = &query.q {
        clauses.push(words(index, q)?);
    }
    for (key, value, looser) in [
        (f.category_key, &query.category, None),
        (f.city_key, &query.city, None),
        (f.venue_key, &query.venue, Some(f.venue)),
        (f.performer_key, &query.performer, Some(f.performer)),
    ] {
        if let Some(value) = value {
            clauses.push(filter(index, searcher, key, looser, value)?);
        }
    }
    if query.from.is_some() || query.to.is_some() {
        let bound = |date: Option<civil::Date>| match date {
            Some(date) => Bound::Included(Term::from_field_i64(f.day, index::day(date))),
            None => Bound::Unbounded,
        };
        clauses.push(Box::new(RangeQuery::new(bound(query.from), bound(query.to))));
    }
    if let Some(among) = &query.among {
        let ids = among.iter().map(|id| Term::from_field_text(f.id, &id.to_string()));
        clauses.push(Box::new(TermSetQuery::new(ids)));
    }
    Ok(all_of(clauses))
}

/// Every word somewhere in the event, the last one perhaps unfinished. Words in the name
/// count most, then performers, then works; words that stand together count more.
fn words(index: &Index, q: &str) -> Result<Box<dyn Clause>, SearchError> {
    let f = &index.fields;
    let words = index.words(q);
    if words.len() > WORDS_MAX {
        return Err(malformed("q", format!("has more than {WORDS_MAX} words")));
    }
    let Some((last, _)) = words.split_last() else { return Ok(Box::new(EmptyQuery)) };
    let weighted = [(f.name, 4.0), (f.performer, 3.0), (f.work, 2.0), (f.rest, 1.0)];
    let mut clauses: Vec<(Occur, Box<dyn Clause>)> = Vec::new();
    for (position, word) in words.iter().enumerate() {
        let mut anywhere: Vec<Box<dyn Clause>> = Vec::new();
        for (field, weight) in weighted {
            let term = Term::from_field_text(field, word);
            let exact = TermQuery::new(term, IndexRecordOption::WithFreqs);
            anywhere.push(Box::new(BoostQuery::new(Box::new(exact), weight)));
            if position + 1 == words.len() {
                let begun = FuzzyTermQuery::new_prefix(Term::from_field_text(field, last), 0, true);
                anywhere.push(Box::new(BoostQuery::new(Box::new(begun), weight / 4.0)));
            }
        }
        clauses.push((Occur::Must, Box::new(BooleanQuery::union(anywhere))));
    }
    if words.len() > 1 {
        for (field, weight) in weighted {
            let phrase = phrase(field, &words);
            clauses.push((Occur::Should, Box::new(BoostQuery::new(phrase, weight))));
        }
    }
    Ok(Box::new(BooleanQuery::new(clauses)))
}

/// Events with exactly this value where there are any; otherwise those whose value contains its
/// words together, if the field has words to look in.
fn filter(
    index: &Index,
    searcher: &Searcher,
    key: Field,
    looser: Option<Field>,
    value: &str,
) -> Result<Box<dyn Clause>, SearchError> {
    let words = index.words(value);
    let term = Term::from_field_text(key, &words.join(" "));
    match looser {
        Some(field) if !words.is_empty() && searcher.doc_freq(&term)? == 0 => Ok(phrase(field, &words)),
        _ => Ok(Box::new(TermQuery::new(term, IndexRecordOption::Basic))),
    }
}

fn phrase(field: Field, words: &[String]) -> Box<dyn Clause> {
    let mut terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(field, word)).collect();
    match terms.len() {
        1 => Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::WithFreqs)),
        _ => Box::new(PhraseQuery::new(terms)),
    }
}

fn all_of(mut clauses: Vec<Box<dyn Clause>>) -> Box<dyn Clause> {
    match clauses.len() {
        0 => Box::new(AllQuery),
        1 => clauses.remove(0),
        _ => Box::new(BooleanQuery::intersection(clauses)),
    }
}

fn facet_request() -> serde_json::Value {
    let terms = |field| serde_json::json!({ "terms": { "field": field, "size": FACET_VALUES_MAX } });
    FACETS.iter().map(|facet| ((*facet).to_owned(), terms(*facet))).collect::<serde_json::Map<_, _>>().into()
}

fn facets(counted: &AggregationResults) -> Result<BTreeMap<&'static str, Vec<FacetValue>>, SearchError> {
    #[derive(Deserialize)]
    struct Buckets {
        buckets: Vec<Bucket>,
    }
    #[derive(Deserialize)]
    struct Bucket {
        key: String,
        doc_count: u64,
    }
    let mut counted: BTreeMap<String, Buckets> = serde_json::from_value(serde_json::to_value(counted)?)?;
    let values = |facet| {
        let buckets = counted.remove(facet).map_or(Vec::new(), |facet| facet.buckets);
        buckets.into_iter().map(|bucket| FacetValue { value: bucket.key, count: bucket.doc_count }).collect()
    };
    Ok(FACETS.into_iter().zip(FACETS.map(values)).collect())
}

fn given(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn text(name: &'static str, value: Option<String>) -> Result<Option<String>, SearchError> {
    match given(value) {
        Some(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Err(malformed(name, format!("has more than {TEXT_CHARS_MAX} characters")))
        }
        value => Ok(value),
    }
}

fn date(name: &'static str, value: Option<String>) -> Result<Option<civil::Date>, SearchError> {
    let parse = |text: String| {
        // a bare date and nothing else: jiff would also take the date out of a time
        let bare = text.len() == "2026-11-28".len();
        text.parse().ok().filter(|_| bare).ok_or_else(|| malformed(name, "is a date like 2026-11-28"))
    };
    given(value).map(parse).transpose()
}

fn malformed(field: &'static str, wanted: impl Into<String>) -> SearchError {
    SearchError::Malformed { field, wanted: wanted.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(change: fn(&mut Params)) -> Params {
        let mut params = Params::default();
        change(&mut params);
        params
    }

    #[test]
    fn sorts_by_relevance_only_when_there_is_something_to_be_relevant_to() {
        let sort = |change: fn(&mut Params)| Query::parse(params(change)).unwrap().sort;
        assert_eq!(sort(|_| {}), Sort::Date);
        assert_eq!(sort(|p| p.q = Some(" ".into())), Sort::Date);
        assert_eq!(sort(|p| p.q = Some("mahler".into())), Sort::Relevance);
        assert_eq!(sort(|p| p.sort = Some("-date".into())), Sort::DateDescending);
    }

    #[test]
    fn every_parameter_is_read_and_strangers_are_not() {
        let pairs = Params::NAMES.map(|name| (name, name)).into_iter().chain([("utm_source", "mail")]);
        let read = format!("{:?}", Params::from_pairs(pairs));
        for name in Params::NAMES {
            assert!(read.contains(&format!("{name}: Some({name:?})")), "{read}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused: [fn(&mut Params); 9] = [
            |p| p.sort = Some("price".into()),
            |p| p.limit = Some("0".into()),
            |p| p.limit = Some("101".into()),
            |p| p.limit = Some("ten".into()),
            |p| p.from = Some("28.11.2026".into()),
            |p| p.to = Some("2026-02-30".into()),
            |p| p.available = Some("maybe".into()),
            |p| p.cursor = Some("AAAA".into()),
            |p| p.q = Some("x".repeat(TEXT_CHARS_MAX + 1)),
        ];
        for change in refused {
            let params = params(change);
            let shown = format!("{params:?}");
            assert!(matches!(Query::parse(params), Err(SearchError::Malformed { .. })), "{shown}");
        }
    }
}
