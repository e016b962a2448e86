//! What no page may do: complain, jump, stick out, weigh much, keep people waiting.

use serde_json::Value;

use super::screen::{NARROW, Screen, ZOOMED};
use super::tab::Tab;

/// Shifts of the layout that nobody asked for by a touch, a key or another size of the window, in the half second
/// before (<https://wicg.github.io/layout-instability/>).
const WATCH_SHIFTS: &str = "
    const rect = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(' ');
    const told = ({ node, previousRect, currentRect }) =>
        [rect(previousRect), 'to', rect(currentRect), String(node && (node.outerHTML || node.data))].join(' ').slice(0, 160);
    const all = [];
    const note = shifts => {
        for (const shift of shifts) if (!shift.hadRecentInput) all.push([shift.value, ...shift.sources.map(told)]);
    };
    const observer = new PerformanceObserver(list => note(list.getEntries()));
    observer.observe({ type: 'layout-shift' });
    window.shifts = () => { note(observer.takeRecords()); return all; };";

/// A shift is recorded with the frame that shows it.
const AFTER_TWO_FRAMES: &str = "
    const [done] = arguments;
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(window.shifts()))));";

/// Bytes over the wire of the page and all it loaded, without the hall's layout, and with its icon.
const WEIGHT: &str = "
    const done = arguments[arguments.length - 1];
    const icon = document.querySelector('link[rel=icon]');
    const all = () => {
        const files = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
        const counted = files.filter(file => !file.name.includes('/layouts/'));
        done(counted.reduce((sum, file) => sum + file.transferSize, 0));
    };
    if (icon) fetch(icon.href, { cache: 'no-store' }).then(answer => answer.text()).finally(() => setTimeout(all));
    else all();";

/// What sticks out of the screen, but for what scrolls inside a box of its own.
const STICKING_OUT: &str = "
    const width = arguments[0];
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = element => {
        for (let e = element.parentElement; e && e !== document.body; e = e.parentElement)
            if (getComputedStyle(e).overflowX !== 'visible') return true;
        return false;
    };
    return ['the page is ' + document.documentElement.scrollWidth + ' wide'].concat(
        [...document.body.querySelectorAll('*')]
            .filter(e => e.getBoundingClientRect().right > width + 0.5 && !scrolls(e))
            .slice(0, 5).map(e => e.outerHTML.slice(0, 160)));";

impl Tab {
    /// What was logged that a person would call an error, but for what the test brought about itself.
    pub(super) async fn complaints(&self, but_for: &[&str]) -> Vec<String> {
        let log = self.log().await;
        let told = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        log.iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(told)
            .filter(|message| !but_for.iter().any(|text| message.contains(text)))
            .collect()
    }

    pub(super) async fn assert_silent(&self, but_for: &[&str]) {
        let complaints = self.complaints(but_for).await;
        assert!(complaints.is_empty(), "logged: {complaints:#?}");
    }

    /// From here on, remembers what moves.
    pub(super) async fn watch_shifts(&self) {
        self.run(WATCH_SHIFTS).await;
    }

    /// What has moved since, on this same page.
    pub(super) async fn shifts(&self) -> Vec<Value> {
        let shifts = self.run_async(AFTER_TWO_FRAMES, Vec::new()).await;
        shifts.as_array().cloned().unwrap_or_else(|| panic!("{shifts}: nobody watched this page"))
    }

    pub(super) async fn assert_still(&self) {
        let shifts = self.shifts().await;
        assert!(shifts.is_empty(), "the page moved under its reader: {shifts:#?}");
    }

    /// Readable at 320 px and at 200 %: what sticks out on which screen.
    pub(super) async fn sticking_out(&self, back_to: Screen) -> Vec<String> {
        let mut all = Vec::new();
        for screen in [NARROW, ZOOMED] {
            self.show_on(screen).await;
            let found = self.run_with(STICKING_OUT, vec![screen.width.into()]).await;
            for part in found.as_array().into_iter().flatten() {
                all.push(format!("{}: {}", screen.name, part.as_str().unwrap_or_default()));
            }
        }
        self.show_on(back_to).await;
        all
    }

    /// In bytes.
    pub(super) async fn weight(&self) -> u64 {
        let bytes = self.run_async(WEIGHT, Vec::new()).await;
        bytes.as_u64().unwrap_or_else(|| panic!("{bytes} bytes"))
    }

    /// When something was first to be seen, in milliseconds since the page was asked for.
    pub(super) async fn first_paint_ms(&self) -> f64 {
        self.becomes("performance.getEntriesByName('first-contentful-paint').length").await;
        let at = self.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime").await;
        at.as_f64().expect("a number")
    }
}
