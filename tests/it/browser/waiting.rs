//! The waiting page in a fan's hands: its languages, its alarms, its way to another device, and the train's tunnel.

use serde_json::json;

use super::axe::Axe;
use super::driver::Driver;
use super::sale::Sale;
use super::screen::{DESKTOP, PHONE};
use super::tab::Tab;
use super::way;

/// Counts the tones that are played.
const COUNT_TONES: &str = "
    window.tones = 0;
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };";

/// What one chime is made of, and how often it rings for a turn.
const TONES: u32 = 3;
const RINGS: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn every_language_fits_the_page_and_shuts_nobody_out() {
    let test = "every_language_fits_the_page_and_shuts_nobody_out";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let _front = sale.block("an-evening").await;
    let tab = driver.open(&sale.url, PHONE).await;
    let axe = Axe::load(test);
    way::join(&tab, "an-evening").await;
    for (lang, dir, said) in [
        ("es", "ltr", "1 persona"),
        ("fr", "ltr", "1 personne devant vous"),
        ("de", "ltr", "1 Person ist vor Ihnen"),
        ("ja", "ltr", "あなたの前に1人います"),
        ("ar", "rtl", "أمامك شخص واحد"),
        ("en", "ltr", "1 person is ahead of you"),
    ] {
        tab.goto(&format!("/queue/an-evening?lang={lang}")).await;
        tab.see(way::WAITING).await;
        tab.becomes(&format!("document.documentElement.lang === '{lang}' && document.documentElement.dir === '{dir}'"))
            .await;
        tab.read(said).await;
        tab.becomes("/^\\(2\\) /.test(document.title)").await;
        assert_eq!(tab.sticking_out(PHONE).await, [""; 0], "{lang}");
        if let Some(axe) = &axe {
            tab.paint(false).await;
            assert_eq!(axe.violations(&tab).await, [""; 0], "{lang}");
        }
    }
    tab.assert_silent(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_rings_for_who_asked_for_it() {
    let Some(driver) = Driver::start("a_turn_rings_for_who_asked_for_it").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let _front = sale.block("an-evening").await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    tab.see(way::WAITING).await;
    tab.run(COUNT_TONES).await;
    tab.press("#sound").await;
    tab.see("#sound[aria-pressed=true]").await;
    tab.becomes(&format!("window.tones === {TONES}")).await; // what it will sound like
    sale.hurry("an-evening").await;
    tab.see(way::CALLED).await;
    tab.becomes(&format!("window.tones === {}", TONES + RINGS * TONES)).await;
    tab.becomes("document.title.startsWith('Your turn!')").await;
    tab.becomes("document.getElementById('now').textContent.includes('Take my turn')").await; // heard at once

    // the sale stops under the button: its reason comes live, and so does the turn again
    sale.steer(&["pause", "an-evening", "--reason", "The lights are mended"]).await;
    tab.see("[data-face=paused-turn]:not([hidden])").await;
    tab.read("The lights are mended").await;
    sale.steer(&["resume", "an-evening"]).await;
    tab.see(way::CALLED).await;
    tab.assert_silent(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_costs_no_place_and_no_press() {
    let Some(driver) = Driver::start("a_tunnel_costs_no_place_and_no_press").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let front = sale.block("an-evening").await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    tab.see(way::WAITING).await;
    tab.run("window.same = true").await;
    offline(&tab, true).await;
    tab.read("You are offline. Your place is kept").await;
    front.thin_out("an-evening").await;
    offline(&tab, false).await;
    tab.read("you are next").await;
    tab.read("This page is live").await;
    tab.becomes("window.same").await; // not by loading it anew
    tab.complaints(&["ERR_INTERNET_DISCONNECTED", "ERR_NETWORK"]).await;
}

async fn offline(tab: &Tab, is_offline: bool) {
    tab.devtools("Network.enable", json!({})).await;
    let network = json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    tab.devtools("Network.emulateNetworkConditions", network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_goes_from_the_phone_to_the_desk() {
    let Some(driver) = Driver::start("a_place_goes_from_the_phone_to_the_desk").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let _front = sale.block("an-evening").await;
    let phone = driver.open(&sale.url, PHONE).await;
    way::join(&phone, "an-evening").await;
    phone.see(way::WAITING).await;
    phone.press("#device summary").await;
    phone.press("#device button[value=code]").await;
    phone.see("#code-shown").await;
    let code = phone.run("return document.getElementById('code-shown').textContent").await;

    let desk = driver.open(&sale.url, DESKTOP).await;
    desk.goto("/queue/an-evening").await;
    desk.press("#move summary").await;
    desk.fill("#code", "ABCDE-FGHJK").await;
    desk.press("#move button").await;
    desk.read("This code is not valid").await;
    desk.fill("#code", code.as_str().expect("a code")).await;
    desk.press("#move button").await;
    desk.see(way::WAITING).await;
    desk.read("1 person is ahead of you").await;
    phone.see(".faces > [data-face=moved]:not([hidden])").await; // at once, by its stream
    phone.assert_silent(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_turn_counts_down_what_is_left_of_it() {
    let Some(driver) = Driver::start("a_lapsed_turn_counts_down_what_is_left_of_it").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &["--claim-window-s", "1", "--grace-s", "600"]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    let lapsed = "[data-face=lapsed]:not([hidden])";
    tab.see(lapsed).await;
    tab.becomes("/^(9:\\d\\d|10:00)$/.test(document.querySelector('[data-face=lapsed] [data-countdown]').textContent)")
        .await;
    tab.press("[data-face=lapsed] button").await;
    tab.arrive(&format!("/e/{event}/seats")).await;
}
