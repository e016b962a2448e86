//! What is left of an evening: a JSON document, a page to show, and tables for the terminal.

mod counts;
mod latency;
mod series;
mod waits;

mod html;
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

pub(crate) use html::count;

use crate::{books::Books, judge::Verdict, record::Record};

/// The report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub setting: Setting,
    pub counts: counts::Counts,
    pub verdict: Verdict,
    /// Milliseconds, by what was timed.
    pub latencies: Vec<latency::Latency>,
    pub joins: series::Joins,
    /// From joined to admitted.
    pub waits: waits::Waits,
    /// Per second of the run.
    pub series: series::Series,
}

/// What was run.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub url: String,
    pub drop: String,
    /// What was on sale.
    pub events: Vec<String>,
    /// In the books after the run.
    pub rate_per_minute: u32,
    pub fans: u32,
    pub arrivals: String,
    pub leave: f64,
    pub quantity: String,
    pub seed: u64,
    /// Microseconds since 1970.
    pub started_us: i64,
    pub took_s: f64,
    pub accounts_took_s: f64,
    /// How long the services took to finish what was under way.
    pub settled_after_s: f64,
    pub machine: Machine,
}

/// Where the fans ran.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Of this program.
    pub version: &'static str,
    /// Figures of a debug build say little.
    pub debug_build: bool,
    pub system: String,
    /// `None` where the system does not tell.
    pub cores: Option<usize>,
}

impl Machine {
    pub(crate) fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            debug_build: cfg!(debug_assertions),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        }
    }
}

impl Report {
    pub(crate) fn of(setting: Setting, record: &Record, books: &Books, verdict: Verdict) -> Self {
        Self {
            counts: counts::Counts::of(record, books),
            latencies: latency::all(record, books),
            joins: series::Joins::of(record),
            waits: waits::Waits::of(record),
            series: series::Series::of(record, books, setting.started_us),
            verdict,
            setting,
        }
    }

    fn latency(&self, name: &str) -> Option<&latency::Latency> {
        self.latencies.iter().find(|row| row.name == name)
    }
}

/// Writes `dir/report.json` and `dir/report.html`, and prints: the JSON itself, or tables.
pub(crate) fn publish(report: &Report, dir: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report).context("cannot write the report as JSON")?;
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let page = html::render(report).context("cannot write the report as a page")?;
        for (name, content) in [("report.json", &text), ("report.html", &page)] {
            let file = dir.join(name);
            std::fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    if json {
        println!("{text}");
    } else {
        println!("{}", table::render(report));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge,
        record::{FanRecord, Kind, Timed},
    };

    pub(super) fn setting() -> Setting {
        Setting {
            url: "http://127.0.0.1:8080".into(),
            drop: "evening".into(),
            events: vec!["An evening".into()],
            rate_per_minute: 600,
            fans: 2,
            arrivals: "spike".into(),
            leave: 0.3,
            quantity: "1-4".into(),
            seed: 1,
            started_us: 1_000_000,
            took_s: 12.5,
            accounts_took_s: 1.0,
            settled_after_s: 0.5,
            machine: Machine::this(),
        }
    }

    #[test]
    fn the_report_is_json_and_tables() {
        let fans = (0..2)
            .map(|number| FanRecord {
                number,
                join_sent_us: Some(1_000_000),
                joined_us: Some(1_200_000 + i64::from(number) * 2_000_000),
                calls: vec![Timed { kind: Kind::Join, took_us: 1_500 }],
                ..FanRecord::default()
            })
            .collect();
        let record = Record { fans, ..Record::default() };
        let books = Books::default();
        let verdict = judge::judge(&record, &books);
        let report = Report::of(setting(), &record, &books, verdict);
        let dir = tempfile::tempdir().unwrap();
        publish(&report, Some(&dir.path().join("new")), true).unwrap();
        let text = std::fs::read_to_string(dir.path().join("new/report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["verdict"]["content"], false);
        assert_eq!(json["joins"]["joined"], 2);
        assert_eq!(json["series"]["joins"][0], 1);
        assert!(json["series"]["sold"].is_array() && json["waits"]["counts"].is_array(), "{text}");
        let page = std::fs::read_to_string(dir.path().join("new/report.html")).unwrap();
        assert!(page.starts_with("<!doctype html>"), "{page}");
        let tables = table::render(&report);
        assert!(tables.contains("nobody lost") && tables.contains("DISCONTENT"), "{tables}");
    }
}
