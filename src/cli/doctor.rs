//! `onsale doctor`: what is well, what is not, and what to do about it.

mod machine;
mod stores;

use serde::Serialize;
use serde_json::json;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;
use crate::stack::Stack;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    says: String,
    /// What to do; nothing when all is well.
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, says: says.into(), advice: None }
    }

    fn warn(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, says: says.into(), advice: Some(advice.into()) }
    }

    fn fail(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Fail, says: says.into(), advice: Some(advice.into()) }
    }

    fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let advice = self.advice.as_deref().map(|advice| format!("\n         → {advice}")).unwrap_or_default();
        format!("{level}  {}: {}{advice}", self.check, self.says)
    }
}

pub(crate) async fn run(globals: &Globals) -> Result<(), Failure> {
    let mut findings = machine::look();
    match Target::database_and_redis(globals) {
        Ok(target) => {
            findings.push(stack(globals, &target));
            findings.push(keys(&target));
            findings.extend(stores::look(&target).await);
        }
        Err(failure) => findings.push(Finding::warn(
            "stack",
            failure.detail(),
            format!("run `onsale up --data-dir {}`, or set DATABASE_URL and REDIS_URL", globals.data_dir.display()),
        )),
    }
    output::say(globals.json, &json!({ "findings": findings }), || {
        findings.iter().map(Finding::line).collect::<Vec<_>>().join("\n")
    })?;
    let failed: Vec<_> =
        findings.iter().filter(|finding| finding.level == Level::Fail).map(|finding| finding.check).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::refused("unwell", "Something is wrong", failed.join(", ")).with("checks", failed))
}

fn stack(globals: &Globals, target: &Target) -> Finding {
    if target.private_url.is_none() {
        return Finding::ok("stack", "not asked for: the stores were named");
    }
    match Stack::find(&globals.data_dir) {
        Ok(stack) => Finding::ok("stack", format!("{} runs as process {}", stack.url, stack.pid)),
        Err(failure) => Finding::fail("stack", failure.detail(), "start it again with `onsale up`"),
    }
}

fn keys(target: &Target) -> Finding {
    match target.keyring() {
        Ok(_) => Finding::ok("keys", "usable"),
        Err(failure) => Finding::fail(
            "keys",
            failure.detail(),
            "name the file of the processes' keys in keys.file (each key is 32 bytes in base64url)",
        ),
    }
}
