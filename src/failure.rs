//! How a command ends badly: one exit code and one message, as text or as a problem document.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Why a command did not do what was asked. Exit 1 failed, 2 usage, 3 no running stack.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    slug: &'static str,
    title: &'static str,
    detail: String,
    extras: Map<String, Value>,
}

impl Failure {
    /// The command line or the settings make no sense.
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Self::with_exit(2, "usage", "The command was not understood", detail)
    }

    /// No stack runs in that data directory, and no URLs were given.
    pub(crate) fn no_stack(detail: impl Into<String>) -> Self {
        Self::with_exit(3, "no-stack", "No running stack", detail)
    }

    /// The work itself was refused or went wrong.
    pub(crate) fn refused(slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::with_exit(1, slug, title, detail)
    }

    fn with_exit(exit: u8, slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { exit, slug, title, detail: detail.into(), extras: Map::new() }
    }

    /// Adds a member to the problem document.
    pub(crate) fn with(mut self, key: &str, value: impl Serialize) -> Self {
        self.extras.insert(key.to_owned(), json!(value));
        self
    }

    /// Adds to what went wrong.
    pub(crate) fn and(mut self, detail: &str) -> Self {
        self.detail.push('\n');
        self.detail.push_str(detail);
        self
    }

    /// What went wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Writes the message to standard error and gives the exit code.
    pub(crate) fn report(self, as_json: bool) -> ExitCode {
        let exit = self.exit;
        if as_json {
            eprintln!("{}", self.document());
        } else {
            eprintln!("onsale: {}: {}", self.title, self.detail);
        }
        ExitCode::from(exit)
    }

    /// RFC 9457, without a status: nothing here is an HTTP answer.
    fn document(self) -> Value {
        let mut document = Map::new();
        document.insert("type".to_owned(), json!(format!("/problems/{}", self.slug)));
        document.insert("title".to_owned(), json!(self.title));
        document.insert("detail".to_owned(), json!(self.detail));
        document.extend(self.extras);
        Value::Object(document)
    }
}

/// Everything unforeseen: the whole chain of causes is shown, once, here.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::refused("failed", "Failed", format!("{:#}", error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_carries_slug_detail_and_extras() {
        let document = Failure::refused("import", "Lines were rejected", "2 lines").with("rejected", [3, 7]).document();
        assert_eq!(document["type"], "/problems/import");
        assert_eq!(document["detail"], "2 lines");
        assert_eq!(document["rejected"], json!([3, 7]));
    }
}
