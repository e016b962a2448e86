//! Figures beside their baseline, the bounds they must keep, and what would make them worthless.

use std::{fmt, fs, path::Path};

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one target found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub target: String,
    pub figures: Vec<Figure>,
    /// How it was measured: sizes, durations, counts.
    pub notes: Vec<String>,
    /// What makes the measurement worthless: a stream that ended, a message nobody got.
    pub faults: Vec<String>,
}

/// One figure, ours and the baseline's of the same run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub name: String,
    /// Of `ours` and `baseline`.
    pub unit: String,
    pub ours: f64,
    /// What was measured beside it, and how much it was.
    pub baseline: Option<(String, f64)>,
    pub bound: Option<Bound>,
}

/// What must be reached.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    OursAtMost(f64),
    OursAtLeast(f64),
    /// Ours ÷ baseline.
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// Ours ÷ baseline is one, give or take this share.
    RatioWithin(f64),
}

impl Figure {
    pub(crate) fn new(name: &str, unit: &str, ours: f64) -> Self {
        Self { name: name.into(), unit: unit.into(), ours, baseline: None, bound: None }
    }

    pub(crate) fn beside(self, name: &str, baseline: f64) -> Self {
        Self { baseline: Some((name.into(), baseline)), ..self }
    }

    pub(crate) fn must(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// Ours ÷ baseline; `None` without a baseline, or beside nothing.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (_, baseline) = self.baseline.as_ref()?;
        (*baseline != 0.0).then(|| self.ours / baseline)
    }

    /// `None` when nothing is asked of it. A ratio that is none is missed, and so is what is not a number.
    pub(crate) fn reached(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        Some(match self.bound? {
            Bound::OursAtMost(most) => self.ours <= most,
            Bound::OursAtLeast(least) => self.ours >= least,
            Bound::RatioAtMost(most) => ratio <= most,
            Bound::RatioAtLeast(least) => ratio >= least,
            Bound::RatioWithin(share) => (ratio - 1.0).abs() <= share,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OursAtMost(most) => write!(f, "≤ {most}"),
            Self::OursAtLeast(least) => write!(f, "≥ {least}"),
            Self::RatioAtMost(most) => write!(f, "ratio ≤ {most}"),
            Self::RatioAtLeast(least) => write!(f, "ratio ≥ {least}"),
            Self::RatioWithin(share) => write!(f, "ratio 1 ± {share}"),
        }
    }
}

impl Verdict {
    pub(crate) fn new(target: &str) -> Self {
        Self { target: target.into(), figures: Vec::new(), notes: Vec::new(), faults: Vec::new() }
    }

    /// What [`Verdict::publish`] wrote.
    ///
    /// # Errors
    /// When it is not there, or something else.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no verdict", path.display()))
    }

    /// Takes note of a fault unless `fine`.
    pub(crate) fn check(&mut self, fine: bool, fault: impl FnOnce() -> String) {
        if !fine {
            self.faults.push(fault());
        }
    }

    /// Whether every bound is reached, and nothing speaks against the figures.
    pub(crate) fn reached(&self) -> bool {
        self.faults.is_empty() && self.figures.iter().all(|figure| figure.reached() != Some(false))
    }

    /// Prints the figures and writes them to `DIR/TARGET.json`; says whether every bound is reached.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn publish(&self, dir: &Path) -> anyhow::Result<bool> {
        let path = dir.join(format!("{}.json", self.target));
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let text = serde_json::to_string_pretty(&self.json()?)?;
        fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        self.print();
        Ok(self.reached())
    }

    /// The verdict, with what follows from it.
    fn json(&self) -> serde_json::Result<Value> {
        let mut json = serde_json::to_value(self)?;
        json["reached"] = self.reached().into();
        for (figure, json) in self.figures.iter().zip(json["figures"].as_array_mut().into_iter().flatten()) {
            json["ratio"] = figure.ratio().into();
            json["reached"] = figure.reached().into();
        }
        Ok(json)
    }

    pub(crate) fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["", "ours", "", "baseline", "", "ratio", "must", ""]);
        for figure in &self.figures {
            let (beside, baseline) = match &figure.baseline {
                Some((name, baseline)) => (name.as_str(), number(*baseline)),
                None => ("", String::new()),
            };
            table.add_row([
                figure.name.clone(),
                number(figure.ours),
                figure.unit.clone(),
                baseline,
                beside.to_owned(),
                figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.3}")),
                figure.bound.map_or_else(String::new, |bound| bound.to_string()),
                figure.reached().map_or("", |reached| if reached { "reached" } else { "MISSED" }).to_owned(),
            ]);
        }
        for column in [1, 3, 5] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("{table}");
        for note in &self.notes {
            println!("  {note}");
        }
        for fault in &self.faults {
            println!("  NOT VALID: {fault}");
        }
    }
}

/// Three figures that count.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 1.0 || middle == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_without_its_baseline_is_missed() {
        let figure = |bound| Figure::new("a", "ms", 8.0).must(bound);
        assert_eq!(figure(Bound::OursAtMost(8.0)).reached(), Some(true));
        assert_eq!(figure(Bound::OursAtLeast(8.1)).reached(), Some(false));
        assert_eq!(figure(Bound::RatioAtMost(2.0)).reached(), Some(false));
        assert_eq!(figure(Bound::RatioAtMost(2.0)).beside("b", 0.0).reached(), Some(false));
        assert_eq!(figure(Bound::RatioAtMost(2.0)).beside("b", 4.0).reached(), Some(true));
        assert_eq!(figure(Bound::RatioAtLeast(2.0)).beside("b", 5.0).reached(), Some(false));
        assert_eq!(figure(Bound::RatioWithin(0.1)).beside("b", 7.5).reached(), Some(true));
        assert_eq!(figure(Bound::RatioWithin(0.1)).beside("b", 9.5).reached(), Some(false));
        assert_eq!(Figure::new("a", "ms", f64::NAN).must(Bound::OursAtMost(1.0)).reached(), Some(false));
    }

    #[test]
    fn what_was_written_is_read_again_with_what_follows_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut verdict = Verdict::new("x");
        verdict.figures.push(Figure::new("a", "ms", 8.0).beside("b", 4.0).must(Bound::RatioAtMost(1.5)));
        assert!(!verdict.publish(dir.path()).unwrap());
        let file = dir.path().join("x.json");
        let json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!((&json["figures"][0]["ratio"], &json["reached"]), (&Value::from(2.0), &Value::from(false)));
        assert_eq!(Verdict::read(&file).unwrap().json().unwrap(), json);
    }

    #[test]
    fn a_fault_spoils_what_was_reached() {
        let mut verdict = Verdict::new("x");
        verdict.figures.push(Figure::new("a", "ms", 1.0));
        verdict.check(true, || unreachable!("it is fine"));
        assert!(verdict.reached());
        verdict.check(false, || "a stream ended".into());
        assert!(!verdict.reached());
    }
}
