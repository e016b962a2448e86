//! What the page is shown on.

use serde_json::json;

use super::tab::Tab;

/// A screen in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) name: &'static str,
    pub(super) width: u32,
    height: u32,
    scale: u32,
    is_phone: bool,
}

pub(super) const PHONE: Screen = Screen { name: "phone", width: 390, height: 844, scale: 2, is_phone: true };
pub(super) const DESKTOP: Screen = Screen { name: "desktop", width: 1280, height: 800, scale: 1, is_phone: false };
/// The narrowest that must be readable (WCAG 1.4.10); also what 1280 px are at 400 %.
pub(super) const NARROW: Screen = Screen { name: "narrow", width: 320, height: 640, scale: 1, is_phone: false };
/// What 1280 px are at 200 %.
pub(super) const ZOOMED: Screen = Screen { name: "zoomed", width: 640, height: 400, scale: 2, is_phone: false };

/// A phone in the tram: 1.6 Mbit/s, 150 ms there and back, a quarter of this processor.
const SLOW_BYTES_S: u32 = 200_000;
const SLOW_RTT_MS: u32 = 150;
const SLOW_PROCESSOR: u32 = 4;

impl Tab {
    pub(super) async fn show_on(&self, screen: Screen) {
        let Screen { width, height, scale, is_phone, .. } = screen;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let touch =
            if is_phone { json!({ "enabled": true, "maxTouchPoints": 5 }) } else { json!({ "enabled": false }) };
        self.devtools("Emulation.setTouchEmulationEnabled", touch).await;
    }

    /// Dark or light, and nothing moves: what is looked at has arrived.
    pub(super) async fn paint(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// From the next page on.
    pub(super) async fn without_javascript(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// As for somebody who comes for the first time, on every page.
    pub(super) async fn forget_files(&self) {
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    }

    pub(super) async fn slow_down(&self, is_slow: bool) {
        let network = json!({
            "offline": false,
            "latency": if is_slow { SLOW_RTT_MS } else { 0 },
            "downloadThroughput": if is_slow { i64::from(SLOW_BYTES_S) } else { -1 },
            "uploadThroughput": if is_slow { i64::from(SLOW_BYTES_S) } else { -1 },
        });
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", network).await;
        let rate = if is_slow { SLOW_PROCESSOR } else { 1 };
        self.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": rate })).await;
    }
}
