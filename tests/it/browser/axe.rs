//! axe-core looks for what keeps people out: contrast, names, landmarks, order.
//!
//! It is not part of this repository; scripts/setup.sh --tests fetches it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::driver::skipped;
use super::tab::Tab;

const VERSION: &str = "4.14.1";

const RUN: &str = "
    const [options, done] = arguments;
    axe.run(document, options).then(
        found => done(found.violations.flatMap(rule => rule.nodes.map(node =>
            rule.id + ': ' + node.target.join(' ') + ': ' + node.failureSummary.split('\\n').slice(1).join(';')))),
        error => done(['axe failed: ' + error]));";

pub(super) struct Axe {
    source: String,
}

impl Axe {
    /// `None`, said loudly, where it could not be fetched.
    pub(super) fn load(test: &str) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let file = root.join("target/tools").join(format!("axe-core-{VERSION}.min.js"));
        match std::fs::read_to_string(&file) {
            Ok(source) => Some(Self { source }),
            Err(error) => {
                skipped(test, &format!("{}: {error}; run scripts/setup.sh --tests", file.display()));
                None
            }
        }
    }

    /// All rules but the experimental ones, and how large targets are.
    pub(super) async fn violations(&self, tab: &Tab) -> Vec<String> {
        self.look(tab, json!({ "rules": { "target-size": { "enabled": true } } })).await
    }

    /// What may differ between dark and light.
    pub(super) async fn violations_of_colour(&self, tab: &Tab) -> Vec<String> {
        self.look(tab, json!({ "runOnly": ["color-contrast", "link-in-text-block"] })).await
    }

    async fn look(&self, tab: &Tab, mut options: Value) -> Vec<String> {
        options["resultTypes"] = json!(["violations"]);
        if tab.run("return typeof axe").await != "object" {
            tab.run(&self.source).await;
        }
        let found = tab.run_async(RUN, vec![options]).await;
        let found = found.as_array().unwrap_or_else(|| panic!("{found} instead of violations"));
        found.iter().map(|violation| violation.as_str().unwrap_or_default().to_owned()).collect()
    }
}
