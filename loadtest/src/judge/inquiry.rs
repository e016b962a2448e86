//! One check as it is carried out.

use serde::Serialize;

/// Pieces of evidence kept of one check; the rest is only counted.
const EVIDENCE_MOST: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Kept,
    Broken,
    /// Could not be judged; the note says why.
    Skipped,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub name: &'static str,
    /// What was promised, in a sentence.
    pub promise: &'static str,
    pub outcome: Outcome,
    /// How many things were looked at.
    pub examined: usize,
    /// How many of them broke the promise.
    pub broken: usize,
    pub evidence: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Check {
    /// A check that is due must look at something: one that looked at nothing kept no promise.
    pub(super) fn due(mut self, due: bool) -> Self {
        let blind = self.outcome == Outcome::Skipped || self.examined == 0;
        if due && blind && self.outcome != Outcome::Broken {
            self.outcome = Outcome::Broken;
            self.broken += 1;
            self.evidence.push("there was something to look at, and nothing was judged".to_owned());
        }
        self
    }
}

/// A check under way: nothing found yet.
#[derive(Debug)]
pub(super) struct Inquiry(Check);

impl Inquiry {
    pub(super) fn of(name: &'static str, promise: &'static str) -> Self {
        Self(Check { name, promise, outcome: Outcome::Kept, examined: 0, broken: 0, evidence: Vec::new(), note: None })
    }

    pub(super) fn examined(&mut self, count: usize) {
        self.0.examined += count;
    }

    /// The promise was broken, and this shows it.
    pub(super) fn broken(&mut self, evidence: impl Into<String>) {
        self.0.outcome = Outcome::Broken;
        self.0.broken += 1;
        if self.0.evidence.len() < EVIDENCE_MOST {
            self.0.evidence.push(evidence.into());
        }
    }

    /// Looks at one thing that should hold.
    pub(super) fn expect(&mut self, holds: bool, evidence: impl FnOnce() -> String) {
        self.0.examined += 1;
        if !holds {
            self.broken(evidence());
        }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.0.note = Some(note.into());
    }

    pub(super) fn skipped(mut self, why: impl Into<String>) -> Check {
        self.0.outcome = Outcome::Skipped;
        self.0.note = Some(why.into());
        self.0
    }

    pub(super) fn done(self) -> Check {
        self.0
    }
}
