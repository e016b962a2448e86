//! A page of a small evening: complete, well-formed, and on its own.

use super::*;
use crate::{
    books::Books,
    judge::{self, evening},
    record::{FanRecord, Kind, Record, Timed},
    report::{Setting, tests::setting},
};

/// Tags that have no end.
const VOID: [&str; 2] = ["meta", "br"];

fn page(change: impl FnOnce(&mut Setting, &mut Record, &mut Books)) -> String {
    let (mut record, mut books) = evening::clean();
    for (number, fan) in (1..).zip(&mut record.fans) {
        let timed = |kind, ms: u64| Timed { kind, took_us: ms * 1_000 * number };
        fan.calls = vec![timed(Kind::Join, 2), timed(Kind::Claim, 3), timed(Kind::Checkout, 40)];
    }
    let mut setting = Setting { started_us: evening::START_US, ..setting() };
    change(&mut setting, &mut record, &mut books);
    let verdict = judge::judge(&record, &books);
    render(&Report::of(setting, &record, &books, verdict)).unwrap()
}

/// Walks all tags: each is closed in its turn, each attribute is quoted.
fn assert_well_formed(page: &str) {
    let style = page.find("<style>").unwrap()..page.find("</style>").unwrap();
    let page = format!("{}<style>{}", &page[..style.start], &page[style.end..]);
    let body = page.strip_prefix("<!doctype html>").unwrap();
    let mut open: Vec<String> = Vec::new();
    let mut rest = body;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').expect("a tag ends");
        let tag = &rest[begin + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        assert!(!tag.contains('<'), "<{tag}>");
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "<{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "closed out of turn, before {:.80}", &rest[end..]);
        } else if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<String>::new(), "left open");
}

fn assert_on_its_own(page: &str) {
    for reference in ["src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<object", "https:"] {
        assert!(!page.contains(reference), "{reference}");
    }
    // the one address in it is what was tested, as text
    assert_eq!(page.matches("http:").count(), page.matches("<dd>http:").count());
}

#[test]
fn a_page_has_every_section_and_needs_nothing() {
    let page = page(|_, _, _| {});
    assert_well_formed(&page);
    assert_on_its_own(&page);
    for section in ["verdict", "checks", "run", "fates", "plots", "latencies"] {
        assert!(page.contains(&format!(r#" id="{section}""#)), "{section}");
    }
    for plot in ["arrivals", "line", "tokens", "inside", "sales", "waits", "latency", "fates"] {
        for size in ["wide", "narrow"] {
            assert!(page.contains(&format!(r#"<title id="{plot}-{size}-t">"#)), "{plot} {size}");
        }
    }
    assert!(page.contains("The judge is content") && page.contains("13 of 13 promises kept"), "{page}");
    assert!(page.contains("20 of 20 tickets sold"), "{page}");
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    // an id is one element's
    let mut ids: Vec<&str> =
        page.split(r#" id=""#).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn an_evening_that_never_was_still_makes_a_page() {
    let page = page(|setting, record, books| {
        (*record, *books) = (Record::default(), Books::default());
        setting.took_s = 0.0;
    });
    assert_well_formed(&page);
    assert!(page.contains("Nobody was admitted"), "{page}");
    assert!(!page.contains("NaN") && !page.contains("inf\""), "{page}");
}

#[test]
fn a_discontent_judge_shows_the_evidence_and_markup_stays_text() {
    let evil = r#"</style><script>alert("1")</script>"#;
    let page = page(|setting, record, _| {
        setting.drop = evil.into();
        setting.events = vec![evil.into()];
        let why = evil.to_owned();
        record.fans.push(FanRecord { ending: crate::record::Ending::Lost { why }, ..evening_fan() });
    });
    assert_well_formed(&page);
    assert_on_its_own(&page);
    assert!(page.contains("The judge is not content") && page.contains("class=\"evidence\""), "{page}");
    assert!(page.contains("&#60;script&#62;"), "{page}");
}

fn evening_fan() -> FanRecord {
    FanRecord { number: 99, ..FanRecord::default() }
}
