//! Looking at one page after another, and telling at the end what was seen.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::axe::Axe;
use super::screen::{DESKTOP, PHONE};
use super::tab::Tab;

/// What the waiting page may weigh over the wire, in all (bytes).
const WAITING_MAX: u64 = 50_000;
/// What any page may weigh, without the hall's layout (bytes).
const PAGE_MAX: u64 = 150_000;

pub(super) struct Look {
    axe: Option<Axe>,
    pictures: Option<PathBuf>,
    rows: Vec<Row>,
    faults: Vec<String>,
}

struct Row {
    page: String,
    bytes: u64,
    violations: Option<usize>,
    first_paint_ms: f64,
}

impl Look {
    /// `pictures` is the folder they go into.
    pub(super) fn new(axe: Option<Axe>, pictures: Option<PathBuf>) -> Self {
        Self { axe, pictures, rows: Vec::new(), faults: Vec::new() }
    }

    /// At a page as it is now, on a phone. `errors` are what the log may say, because the test asked for it.
    pub(super) async fn at(&mut self, tab: &Tab, page: &str, errors: &[&str]) {
        let bytes = tab.weight().await;
        let most = if tab.path().await.starts_with("/queue/") { WAITING_MAX } else { PAGE_MAX };
        if bytes > most {
            self.faults.push(format!("{page}: weighs {bytes} bytes, more than {most}"));
        }
        let first_paint_ms = tab.first_paint_ms().await;
        self.faults.extend(tab.sticking_out(PHONE).await.into_iter().map(|part| format!("{page}: {part}")));
        let violations = self.axe(tab, page).await;
        self.take_pictures(tab, page).await;
        self.faults.extend(tab.complaints(errors).await.into_iter().map(|line| format!("{page}: logs {line}")));
        self.rows.push(Row { page: page.to_owned(), bytes, violations, first_paint_ms });
    }

    async fn axe(&mut self, tab: &Tab, page: &str) -> Option<usize> {
        let axe = self.axe.as_ref()?;
        let mut found = axe.violations(tab).await;
        tab.paint(true).await;
        found.extend(axe.violations_of_colour(tab).await.into_iter().map(|violation| format!("dark: {violation}")));
        tab.paint(false).await;
        let count = found.len();
        self.faults.extend(found.into_iter().map(|violation| format!("{page}: {violation}")));
        Some(count)
    }

    async fn take_pictures(&self, tab: &Tab, page: &str) {
        let Some(folder) = &self.pictures else { return };
        for screen in [DESKTOP, PHONE] {
            tab.show_on(screen).await;
            for scheme in ["dark", "light"] {
                tab.paint(scheme == "dark").await;
                let file = folder.join(format!("{}-{}-{scheme}.png", page.replace([' ', ':'], "-"), screen.name));
                std::fs::write(file, tab.picture().await).expect("a picture is written");
            }
        }
    }

    /// Another line of the table.
    pub(super) fn note(&mut self, page: &str, bytes: u64, first_paint_ms: f64, paint_max_ms: f64) {
        if first_paint_ms > paint_max_ms {
            self.faults.push(format!("{page}: first paint after {first_paint_ms:.0} ms, more than {paint_max_ms:.0}"));
        }
        self.rows.push(Row { page: page.to_owned(), bytes, violations: None, first_paint_ms });
    }

    /// The table, for whoever reads the output.
    pub(super) fn table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["page", "kB", "axe", "first paint ms"]);
        for row in &self.rows {
            let violations = row.violations.map_or_else(|| "-".to_owned(), |count| count.to_string());
            let kilobytes = format!("{:.1}", row.bytes as f64 / 1000.0);
            table.add_row([row.page.clone(), kilobytes, violations, format!("{:.0}", row.first_paint_ms)]);
        }
        table.to_string()
    }

    /// Fails the test if anything was wrong anywhere, and says all of it.
    pub(super) fn assert_well(&self) {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }
}

impl Tab {
    /// The whole page, beyond what the screen holds.
    async fn picture(&self) -> Vec<u8> {
        self.run("scrollTo({ top: 0, behavior: 'instant' })").await; // or what sticks to the window sticks in mid-page
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let picture =
            self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip })).await;
        STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64")
    }
}
