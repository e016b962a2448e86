//! What a search page was asked, as a list of parameters that links change one at a time.

use form_urlencoded::Serializer;

use super::{super::words::grouped, Link};
use crate::search::query::Params;

/// The parameters that say something, each once, in the order of [`Params::NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked(Vec<(&'static str, String)>);

/// What narrows a search besides its words, and what a chip calls it.
const NARROWING: [(&str, &str); 7] = [
    ("category", ""),
    ("city", ""),
    ("venue", ""),
    ("performer", ""),
    ("from", "From "),
    ("to", "Until "),
    ("available", "Tickets left"),
];

impl Asked {
    /// Parameters that are not ours are left out; of two with one name the first counts.
    pub(crate) fn read(raw: &str) -> Self {
        let given: Vec<_> = form_urlencoded::parse(raw.as_bytes()).collect();
        let value = |name: &'static str| {
            let (_, value) = given.iter().find(|(given, value)| given == name && !value.trim().is_empty())?;
            Some((name, value.trim().to_owned()))
        };
        Self(Params::NAMES.into_iter().filter_map(value).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// For a form's field: the value, or nothing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The search that is run. Who asks for nothing in particular sees the latest first, not the year the
    /// catalogue begins with.
    pub(crate) fn params(&self) -> Params {
        let says_order = ["q", "sort", "from"].iter().any(|name| self.get(name).is_some());
        let order = (!says_order).then_some(("sort", "-date"));
        Params::from_pairs(self.0.iter().map(|(name, value)| (*name, value.as_str())).chain(order))
    }

    /// Whether the order is this one, said or not.
    pub(crate) fn is_sorted(&self, sort: &str) -> bool {
        let unsaid = match (self.get("q"), self.get("from")) {
            (Some(_), _) => "relevance",
            (None, Some(_)) => "date",
            (None, None) => "-date",
        };
        self.get("sort").unwrap_or(unsaid) == sort
    }

    /// What a form must carry along because it has no field of its own.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let carried = ["category", "city", "venue", "performer", "limit"];
        carried.into_iter().filter_map(|name| Some((name, self.get(name)?)))
    }

    /// The link to the same search with some parameters changed; always to its first page unless a cursor is
    /// among them.
    pub(crate) fn with(&self, changes: &[(&'static str, Option<&str>)]) -> String {
        let changed = |name: &str| changes.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let mut query = Serializer::new(String::new());
        for name in Params::NAMES {
            let kept = self.get(name).filter(|_| name != "cursor");
            if let Some(value) = changed(name).unwrap_or(kept) {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            nothing if nothing.is_empty() => "/search".to_owned(),
            query => format!("/search?{query}"),
        }
    }

    /// A facet's value as a link that chooses it or, once chosen, takes it away.
    pub(super) fn facet(&self, name: &'static str, value: &str, count: u64) -> Link {
        let is_on = self.get(name).is_some_and(|own| own.eq_ignore_ascii_case(value));
        Link {
            words: readable(name, value),
            href: self.with(&[(name, (!is_on).then_some(value))]),
            count: Some(grouped(count)),
            is_on,
        }
    }

    /// What narrows the search, each with the link that takes it away.
    pub(super) fn narrowed(&self) -> Vec<Link> {
        let link = |(name, words): (&'static str, &str)| {
            let value = self.get(name).filter(|value| *value != "false")?;
            let words =
                if name == "available" { words.to_owned() } else { format!("{words}{}", readable(name, value)) };
            Some(Link { words, href: self.with(&[(name, None)]), count: None, is_on: true })
        };
        NARROWING.into_iter().filter_map(link).collect()
    }

    /// Searches that find more, for who found nothing.
    pub(super) fn looser(&self) -> Vec<Link> {
        let wider = |words: String, href: String| Link { words, href, count: None, is_on: false };
        let mut links: Vec<Link> = self
            .narrowed()
            .into_iter()
            .map(|narrow| wider(format!("Without “{}”", narrow.words), narrow.href))
            .collect();
        if let Some((first, _)) = self.get("q").and_then(|q| q.split_once(' ')) {
            links.push(wider(format!("Only “{first}”"), self.with(&[("q", Some(first))])));
        }
        links.push(wider("All events".to_owned(), "/search".to_owned()));
        links
    }
}

/// Kinds are lower-case keys; all else is as people write it.
fn readable(name: &str, value: &str) -> String {
    let mut words = value.to_owned();
    if name == "category"
        && let Some(first) = words.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_is_read() {
        let asked = Asked::read("utm_source=mail&q=+mahler+&q=weber&city=&venue=A%26B");
        assert_eq!(asked.0, [("q", "mahler".to_owned()), ("venue", "A&B".to_owned())]);
        assert_eq!(asked.with(&[]), "/search?q=mahler&venue=A%26B");
        assert_eq!(Asked::read("").with(&[]), "/search");
    }

    #[test]
    fn a_link_leads_to_the_first_page_of_its_search() {
        let asked = Asked::read("q=mahler&cursor=abc");
        assert_eq!(asked.with(&[]), "/search?q=mahler");
        assert_eq!(asked.with(&[("cursor", Some("next"))]), "/search?q=mahler&cursor=next");
    }

    #[test]
    fn a_facet_leads_in_and_out() {
        let asked = Asked::read("q=mahler");
        let inwards = asked.facet("city", "New York", 1_200);
        assert_eq!((inwards.href.as_str(), inwards.is_on), ("/search?q=mahler&city=New+York", false));
        assert_eq!(inwards.count.as_deref(), Some("1,200"));
        let chosen = Asked::read("q=mahler&city=New+York");
        let outwards = chosen.facet("city", "New York", 7);
        assert_eq!((outwards.href.as_str(), outwards.is_on), ("/search?q=mahler", true));
        assert_eq!(asked.facet("category", "music", 1).words, "Music");
    }

    #[test]
    fn the_order_that_is_shown_is_the_one_that_is_run() {
        for (raw, sort) in [("", "-date"), ("q=a", "relevance"), ("from=2026-01-01", "date"), ("sort=date", "date")] {
            let asked = Asked::read(raw);
            assert!(asked.is_sorted(sort), "{raw}");
        }
        assert!(format!("{:?}", Asked::read("").params()).contains("sort: Some(\"-date\")"));
        assert!(format!("{:?}", Asked::read("q=a").params()).contains("sort: None"));
    }

    #[test]
    fn who_finds_nothing_is_shown_a_way_out() {
        let words: Vec<String> = Asked::read("q=mahler+seidl&city=Bronx&available=true")
            .looser()
            .into_iter()
            .map(|link| link.words)
            .collect();
        assert_eq!(words, ["Without “Bronx”", "Without “Tickets left”", "Only “mahler”", "All events"]);
    }
}
