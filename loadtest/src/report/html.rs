//! The report as one page to show, to keep and to print: no script, no font, no picture from anywhere.
//!
//! The markup stands in `templates/report.html`, which escapes all it is given; the plots are SVG
//! of our own, because a plotting library writes colours into its drawings, and these must follow
//! the stylesheet into the dark and onto paper.

mod axis;
mod figures;
mod plot;
mod shares;
mod spans;
mod words;

use askama::Template;

use super::{Report, latency::WAITED};
use crate::judge::{Check, Outcome};
use figures::Figure;
use plot::{NARROW, WIDE};
use shares::Share;
use spans::Span;
pub(crate) use words::count;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    css: &'static str,
    title: String,
    events: String,
    when: String,
    content: bool,
    kept: String,
    checks: Vec<CheckRow<'a>>,
    key_figures: Vec<KeyFigure>,
    facts: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
    latencies: Vec<LatencyRow<'a>>,
    latency_wide: String,
    latency_narrow: String,
    shares: Vec<Share>,
    shares_wide: String,
    shares_narrow: String,
    retries: Vec<(&'static str, String)>,
    version: &'static str,
}

/// One promise, and what the judge saw of it.
struct CheckRow<'a> {
    name: &'a str,
    promise: &'a str,
    class: &'static str,
    mark: &'static str,
    outcome: String,
    seen: String,
    evidence: &'a [String],
    /// Broken more often than the evidence shows.
    more: usize,
}

struct KeyFigure {
    value: String,
    label: String,
}

struct LatencyRow<'a> {
    name: &'a str,
    gloss: &'static str,
    count: String,
    times: [String; 4],
}

/// Renders the page.
pub(super) fn render(report: &Report) -> askama::Result<String> {
    let setting = &report.setting;
    let counts = &report.counts;
    let shares = shares::shares(&[
        ("bought", "fate-bought", counts.bought),
        ("told sold out", "fate-sold-out", counts.sold_out),
        ("told the drop ended", "fate-ended", counts.drop_ended),
        ("went silent", "fate-silent", counts.went_silent),
        ("lost", "fate-lost", counts.lost + counts.timed_out + counts.absent),
    ]);
    let spans: Vec<Span> = report
        .latencies
        .iter()
        .filter(|row| row.name != WAITED)
        .map(|row| Span {
            name: row.name.clone(),
            p50_ms: row.p50_ms,
            p90_ms: row.p90_ms,
            p99_ms: row.p99_ms,
            max_ms: row.max_ms,
        })
        .collect();
    let page = Page {
        css: include_str!("../../templates/report.css"),
        title: format!("Load test of {}", setting.drop),
        events: setting.events.join(" · "),
        when: words::moment(setting.started_us),
        content: report.verdict.content,
        kept: kept(&report.verdict.checks),
        checks: report.verdict.checks.iter().map(CheckRow::of).collect(),
        key_figures: key_figures(report),
        facts: facts(report),
        figures: figures::all(report),
        latencies: report.latencies.iter().map(LatencyRow::of).collect(),
        latency_wide: spans::draw(&spans, &WIDE),
        latency_narrow: spans::draw(&spans, &NARROW),
        shares_wide: shares::draw(&shares, &WIDE),
        shares_narrow: shares::draw(&shares, &NARROW),
        shares,
        retries: counts.retries.iter().map(|(reason, times)| (*reason, words::count(*times))).collect(),
        version: setting.machine.version,
    };
    page.render()
}

/// How many promises were kept, and what is to be said of the others.
fn kept(checks: &[Check]) -> String {
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let mut words = format!("{} of {} promises kept", count(Outcome::Kept), checks.len());
    for (outcome, name) in [(Outcome::Broken, "broken"), (Outcome::Skipped, "not judged")] {
        if count(outcome) > 0 {
            words.push_str(&format!(", {} {name}", count(outcome)));
        }
    }
    words
}

fn key_figures(report: &Report) -> Vec<KeyFigure> {
    let counts = &report.counts;
    let mut figures = Vec::new();
    let mut add = |value: String, label: String| figures.push(KeyFigure { value, label });
    let sold = words::count(counts.tickets_sold as u64);
    add(sold, format!("of {} tickets sold", words::count(counts.capacity as u64)));
    add(words::duration(report.setting.took_s * 1e3), "from the first fan to the last".to_owned());
    let longest = report.series.waiting.iter().flatten().max().copied().unwrap_or(0);
    add(words::count(longest), "in line at most".to_owned());
    if let Some(row) = report.latency(WAITED) {
        add(words::duration(row.p50_ms), format!("waited by half, {} by nine of ten", words::duration(row.p90_ms)));
    }
    let tokens = report.series.tokens.iter().max().copied().unwrap_or(0);
    let rate = words::figure(f64::from(report.setting.rate_per_minute) / 60.0);
    add(words::count(tokens), format!("admitted in the busiest second, at a rate of {rate} a second"));
    if let Some(row) = report.latency("checkout") {
        add(words::duration(row.p99_ms), "for 99 of 100 checkouts".to_owned());
    }
    for (currency, minor) in &counts.captured {
        add(words::money(*minor, currency), "captured, by the provider's own list".to_owned());
    }
    let astray = counts.lost + counts.timed_out + counts.absent;
    add(words::count(astray as u64), "fans lost".to_owned());
    figures
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let setting = &report.setting;
    let machine = &setting.machine;
    let per_minute = words::count(setting.rate_per_minute.into());
    let per_second = words::figure(f64::from(setting.rate_per_minute) / 60.0);
    let build = if machine.debug_build { " (a debug build: its times say little)" } else { "" };
    let cores = machine.cores.map_or_else(|| "cores unknown".to_owned(), |cores| format!("{cores} cores"));
    let mut facts = vec![
        ("drop", setting.drop.clone()),
        ("where", setting.url.clone()),
        ("started", words::moment(setting.started_us)),
        ("fans", words::count(setting.fans.into())),
        ("arrivals", setting.arrivals.clone()),
        ("rate", format!("{per_minute} a minute, {per_second} a second")),
        ("go silent", format!("{} % of them", words::figure(setting.leave * 100.0))),
        ("tickets wanted", format!("{} a fan", setting.quantity)),
        ("seed", setting.seed.to_string()),
        ("accounts took", words::duration(setting.accounts_took_s * 1e3)),
        ("settled after", words::duration(setting.settled_after_s * 1e3)),
        ("version", format!("loadtest {}{build}", machine.version)),
        ("machine", format!("{}, {cores}", machine.system)),
    ];
    if !setting.events.is_empty() {
        facts.insert(1, ("on sale", setting.events.join(", ")));
    }
    facts
}

impl<'a> CheckRow<'a> {
    fn of(check: &'a Check) -> Self {
        let (class, mark, outcome) = match check.outcome {
            Outcome::Kept => ("kept", "✓", "kept".to_owned()),
            Outcome::Broken => ("broken", "✗", format!("broken {} times", words::count(check.broken as u64))),
            Outcome::Skipped => ("skipped", "–", "not judged".to_owned()),
        };
        let looked = format!("{} looked at", words::count(check.examined as u64));
        Self {
            name: check.name,
            promise: check.promise,
            class,
            mark,
            outcome,
            seen: check.note.iter().fold(looked, |seen, note| format!("{seen}; {note}")),
            evidence: &check.evidence,
            more: check.broken.saturating_sub(check.evidence.len()),
        }
    }
}

impl<'a> LatencyRow<'a> {
    fn of(row: &'a super::latency::Latency) -> Self {
        Self {
            name: &row.name,
            gloss: gloss(&row.name),
            count: words::count(row.count),
            times: [row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms].map(words::duration),
        }
    }
}

/// What a timed call is for.
fn gloss(name: &str) -> &'static str {
    match name {
        "account" => "sign up, before the start",
        "session" => "sign in, before the start",
        "join" => "take a place in line",
        "status" => "ask for the place",
        "stream" => "open the live stream",
        "claim" => "take the admission",
        "seats" => "see which seats are free",
        "checkout" => "hold seats",
        "confirm" => "pay",
        "booking" => "look at the booking",
        "leave" => "give the place up",
        WAITED => "from joined to admitted",
        "granted → told" => "from the grant to the fan's ear",
        "called → told" => "from the call to the fan's ear",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
