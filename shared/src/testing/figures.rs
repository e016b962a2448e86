//! What a benchmark measured: printed as a table, held against its bounds, left as JSON.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};

/// The figures of one target of `make bench`.
#[derive(Debug)]
pub struct Figures {
    target: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    bound: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Least(f64),
    Most(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Least(least) => value >= least,
            Self::Most(most) => value <= most,
        }
    }
}

impl Figures {
    pub fn new(target: &'static str) -> Self {
        Self { target, rows: Vec::new() }
    }

    /// A figure to be read; `unit` is empty for a ratio.
    pub fn is(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { what: what.into(), value, unit, bound: None });
    }

    /// A figure that must not be below `least`.
    pub fn at_least(&mut self, least: f64, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { what: what.into(), value, unit, bound: Some(Bound::Least(least)) });
    }

    /// A figure that must not be above `most`.
    pub fn at_most(&mut self, most: f64, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { what: what.into(), value, unit, bound: Some(Bound::Most(most)) });
    }

    /// Prints the table and writes `target/bench/<target>.json`; a failure when a bound was missed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(self) -> std::io::Result<ExitCode> {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        println!("\n{}", self.target);
        for row in &self.rows {
            println!("  {:width$}  {:>12} {:<8} {}", row.what, shown(row.value), row.unit, row.verdict());
        }
        let missed = self.rows.iter().filter(|row| row.missed()).count();
        let folder = folder();
        std::fs::create_dir_all(&folder)?;
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let document = json!({ "target": self.target, "missed": missed, "figures": rows });
        std::fs::write(folder.join(format!("{}.json", self.target)), format!("{document:#}\n"))?;
        Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Row {
    fn missed(&self) -> bool {
        self.bound.is_some_and(|bound| !bound.holds(self.value))
    }

    fn verdict(&self) -> String {
        let word = if self.missed() { "MISSED" } else { "reached" };
        match self.bound {
            None => String::new(),
            Some(Bound::Least(least)) => format!("{word}: at least {}", shown(least)),
            Some(Bound::Most(most)) => format!("{word}: at most {}", shown(most)),
        }
    }

    fn json(&self) -> Value {
        let (least, most) = match self.bound {
            None => (None, None),
            Some(Bound::Least(least)) => (Some(least), None),
            Some(Bound::Most(most)) => (None, Some(most)),
        };
        json!({ "what": self.what, "value": self.value, "unit": self.unit, "least": least, "most": most,
                "missed": self.missed() })
    }
}

/// Next to what cargo built, whichever crate the benchmark is of.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("bench")
}

/// Three digits behind the point of a small number, thousands apart in a large one.
fn shown(value: f64) -> String {
    if value.fract() != 0.0 && value.abs() < 100.0 {
        return format!("{value:.3}");
    }
    crate::words::grouped(value.round().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_missed_on_its_wrong_side_only_and_never_by_what_is_no_number() {
        let mut figures = Figures::new("test");
        figures.is("read", 1.0, "s");
        figures.at_least(0.8, "enough", 0.8, "");
        figures.at_most(250.0, "soon enough", 249.9, "ms");
        assert!(!figures.rows.iter().any(Row::missed));
        figures.at_least(0.8, "too little", 0.79, "");
        figures.at_most(250.0, "too late", 251.0, "ms");
        figures.at_least(0.8, "nothing divided by nothing", f64::NAN, "");
        assert_eq!(figures.rows.iter().filter(|row| row.missed()).count(), 3);
    }
}
