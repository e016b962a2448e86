//! One browser with one page, and how to use it as a person does: look, press, type.

use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use serde_json::Value;

use super::cdp::Vendor;

/// Longest that anything may take to appear, on a machine that does many things at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Characters of a page that a failure shows.
const TEXT_MAX: usize = 1_500;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Tab {
    client: Client,
    site: String,
}

impl Tab {
    pub(super) fn new(client: Client, site: &str) -> Self {
        Self { client, site: site.to_owned() }
    }

    pub(super) async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.site)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    pub(super) async fn reload(&self) {
        self.client.refresh().await.expect("the page reloads");
    }

    /// To the page before, by the browser's own button.
    pub(super) async fn back(&self) {
        self.client.back().await.expect("there is a page before");
    }

    /// The path and query of the page.
    pub(super) async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("a page");
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Asks for a page again and again, as an impatient person does, until it has what the selector names.
    pub(super) async fn goto_until(&self, path: &str, css: &str) {
        let found = async || {
            self.goto(path).await;
            self.has(css).await.then_some(())
        };
        if self.until(found).await.is_none() {
            self.fail(&format!("{css} is never on the page")).await;
        }
    }

    /// Waits until what the selector names can be seen.
    pub(super) async fn see(&self, css: &str) -> Element {
        let found = self
            .until(async || {
                for element in self.client.find_all(Locator::Css(css)).await.unwrap_or_default() {
                    if element.is_displayed().await.unwrap_or(false) {
                        return Some(element);
                    }
                }
                None
            })
            .await;
        match found {
            Some(element) => element,
            None => self.fail(&format!("{css} is not to be seen")).await,
        }
    }

    /// Waits until the page says this.
    pub(super) async fn read(&self, text: &str) {
        let wanted = text.to_lowercase();
        if self.until(async || self.text().await.to_lowercase().contains(&wanted).then_some(())).await.is_none() {
            self.fail(&format!("{text:?} is not to be read")).await;
        }
    }

    /// Waits until the page is somewhere under this path.
    pub(super) async fn arrive(&self, path: &str) {
        if self.until(async || self.path().await.starts_with(path).then_some(())).await.is_none() {
            self.fail(&format!("never at {path}")).await;
        }
    }

    /// Waits until this JavaScript expression is true.
    pub(super) async fn becomes(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        if self.until(async || (self.run(&script).await == Value::Bool(true)).then_some(())).await.is_none() {
            self.fail(&format!("{expression} never became true")).await;
        }
    }

    pub(super) async fn press(&self, css: &str) {
        let pressed = async || {
            let element = self.see(css).await;
            // the driver scrolls until it is just in sight, which may be under a bar that stays; people scroll on
            let shown = serde_json::to_value(&element).expect("a reference");
            self.run_with("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", vec![shown]).await;
            match element.click().await {
                Ok(()) => Some(Ok(())),
                Err(error) if is_between_pages(&error) => None, // a live page put another one in its place
                Err(error) => Some(Err(error)),
            }
        };
        match self.until(pressed).await {
            Some(Ok(())) => {}
            Some(Err(error)) => self.fail(&format!("{css} cannot be pressed: {error}")).await,
            None => self.fail(&format!("{css} does not stay long enough to be pressed")).await,
        }
    }

    /// Writes into a field, over what stood there.
    pub(super) async fn fill(&self, css: &str, text: &str) {
        let field = self.see(css).await;
        let written = async {
            field.clear().await?;
            field.send_keys(text).await
        };
        if let Err(error) = written.await {
            self.fail(&format!("{css} cannot be written into: {error}")).await;
        }
    }

    /// Strikes keys, wherever the focus is.
    pub(super) async fn strike(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.unwrap_or_else(|error| panic!("{keys:?}: {error}"));
    }

    pub(super) async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.expect("a page").is_empty()
    }

    /// All that is to be read on the page.
    pub(super) async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Runs JavaScript in the page; null while it changes to another one.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.run_with(script, Vec::new()).await
    }

    pub(super) async fn run_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        match self.client.execute(script, arguments).await {
            Ok(value) => value,
            Err(error) if is_between_pages(&error) => Value::Null,
            Err(error) => panic!("{error} in {script}"),
        }
    }

    /// The same for a script that calls its last argument with the result.
    pub(super) async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap_or_else(|error| panic!("{error} in a script"))
    }

    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.client.issue_cmd(Vendor::devtools(command, &parameters)).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// What the browser has logged since the last time it was asked.
    pub(super) async fn log(&self) -> Vec<Value> {
        match self.client.issue_cmd(Vendor::log()).await.expect("a log") {
            Value::Array(entries) => entries,
            other => panic!("{other} instead of a log"),
        }
    }

    async fn until<T>(&self, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
        let looking = async {
            loop {
                if let Some(seen) = look().await {
                    return seen;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.ok()
    }

    /// Fails the test, and says what was to be seen instead.
    async fn fail(&self, why: &str) -> ! {
        let (path, text, log) = (self.path().await, self.text().await, self.log().await);
        let text: String = text.chars().take(TEXT_MAX).collect();
        panic!("{why} at {path}, which says:\n{text}\nand logs: {log:#?}");
    }
}

fn is_between_pages(error: &CmdError) -> bool {
    let CmdError::Standard(error) = error else { return false };
    let text = format!("{error:?}").to_lowercase();
    ["navigat", "frame", "context", "stale", "detached"].iter().any(|sign| text.contains(sign))
}
