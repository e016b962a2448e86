//! The waiting page and its stream: here the test is the stream, and says what a real one rarely does.

use serde_json::{Value, json};

use super::driver::Driver;
use super::sale::Sale;
use super::screen::PHONE;
use super::tab::Tab;
use super::way;

/// From the next opening on, streams are the test's own.
const TAKE_OVER: &str = "
    window.opened = 0;
    Math.random = () => 0; // who comes back does so at once
    window.EventSource = class extends EventTarget {
      static OPEN = 1;
      static CLOSED = 2;
      readyState = 1;
      constructor() { super(); window.stream = this; window.opened += 1; }
      close() { this.readyState = 2; }
    };
    dispatchEvent(new Event('online'));";

const SAY: &str = "
    const [name, told] = arguments;
    const lastEventId = `${document.getElementById('queue').dataset.epoch}.1.1`;
    window.stream.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(told), lastEventId }));";

async fn take_over(tab: &Tab) {
    tab.run(TAKE_OVER).await;
    tab.becomes("window.opened === 1").await;
}

async fn say(tab: &Tab, name: &str, told: Value) {
    tab.run_with(SAY, vec![json!(name), told]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fell_silent_is_opened_again() {
    let Some(driver) = Driver::start("a_stream_that_fell_silent_is_opened_again").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.announce("an-evening", &event, &["--rate-per-minute", "600"]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    tab.see("[data-face=lobby]:not([hidden])").await;
    take_over(&tab).await;
    // twice almost too long, with a word in between that says nothing else: not silent
    tab.run("const { now } = Date; window.later = 0; Date.now = () => now() + window.later; window.later = 15000")
        .await;
    say(&tab, "beat", json!({})).await;
    tab.run("window.later = 30000").await;
    tab.run("document.dispatchEvent(new Event('visibilitychange'))").await;
    tab.run("return new Promise((resolve) => setTimeout(resolve, 0))").await; // after what was put off for no time
    assert_eq!(tab.run("return window.opened").await, json!(1), "a beat is no silence");
    tab.run("window.later = 60000").await;
    tab.becomes("window.opened === 2").await; // the page is in sight, and nobody touched it
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_streams_ask_where_the_place_is_whatever_the_drop_is_called() {
    let test = "refused_streams_ask_where_the_place_is_whatever_the_drop_is_called";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.announce("events-at-the-hall", &event, &["--rate-per-minute", "600"]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "events-at-the-hall").await;
    tab.see("[data-face=lobby]:not([hidden])").await;
    take_over(&tab).await;
    tab.run(
        "const { setTimeout: wait } = window;
        window.setTimeout = (then) => wait(then, 0);
        const ask = window.fetch;
        window.fetch = async (url, ...more) => {
          const answer = await ask(url, ...more);
          window.asked = `${url} ${answer.status}`;
          return answer;
        };
        const Open = window.EventSource;
        window.EventSource = class extends Open {
          constructor() { super(); this.readyState = 2; queueMicrotask(() => this.onerror()); }
        };
        window.stream.readyState = 2;
        window.stream.onerror();",
    )
    .await;
    tab.becomes("window.asked === '/queue/events-at-the-hall/status 200'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pressed_before_a_pause_is_let_in_without_another_press() {
    let test = "who_pressed_before_a_pause_is_let_in_without_another_press";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let _front = sale.block("an-evening").await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    tab.see(way::WAITING).await;
    take_over(&tab).await;
    tab.run(
        "window.entered = 0;
        addEventListener('submit', (event) => {
          event.preventDefault();
          window.entered += event.target.dataset.do === 'enter';
        }, true);",
    )
    .await;
    let place = |state: &str, reason: Value, called: bool| json!({ "state": state, "reason": reason, "called": called, "position": null });
    let admitted = || place("admitted", Value::Null, false);
    // called, paused, let in from another tab: nothing is pressed for who did not press here
    say(&tab, "called", place("called", Value::Null, false)).await;
    say(&tab, "state", place("paused", json!("A word"), true)).await;
    say(&tab, "admitted", admitted()).await;
    tab.see("[data-face=admitted]:not([hidden])").await;
    assert_eq!(tab.run("return window.entered").await, json!(0));
    for reason in ["A word", "covered"] {
        say(&tab, "called", place("called", json!("claim-waits"), false)).await;
        say(&tab, "state", place("paused", json!(reason), true)).await;
        tab.see("[data-face$='ed-turn']:not([hidden])").await;
        say(&tab, "admitted", admitted()).await;
    }
    assert_eq!(tab.run("return window.entered").await, json!(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_taken_back_is_gone_and_says_nothing() {
    let Some(driver) = Driver::start("a_notice_taken_back_is_gone_and_says_nothing").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.announce("an-evening", &event, &["--rate-per-minute", "600"]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "an-evening").await;
    tab.see("[data-face=lobby]:not([hidden])").await;
    take_over(&tab).await;
    let notice = |id: &str, text: &str| json!({ "id": id, "text": text, "lang": "de", "at": "2027-01-01T10:00:00Z" });
    say(&tab, "notice", notice("a", "Balkon ist weg")).await;
    tab.see("#notice-text[lang=de]").await;
    tab.read("Balkon ist weg").await;
    let said =
        "return [...document.querySelectorAll('[aria-live], [role=status]')].map((part) => part.textContent).join()";
    tab.becomes(&format!("(() => {{ {said} }})().includes('Balkon ist weg')")).await;
    say(&tab, "notice", notice("b", "")).await;
    tab.read("Nothing so far").await;
    tab.see("#notice:not([data-id]) #notice-text:not([lang])").await;
    assert!(!tab.has("#notice-time time").await);
    let said = tab.run(said).await;
    assert!(!said.as_str().unwrap_or_default().trim_end().ends_with("organiser:"), "{said}");
}
