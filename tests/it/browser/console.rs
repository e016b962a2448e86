//! An operator at the console, and a fan who feels it.

use serde_json::Value;

use super::driver::Driver;
use super::sale::{OPERATOR, PASSWORD, Sale};
use super::screen::{DESKTOP, PHONE};
use super::tab::Tab;
use super::way;

/// From the server's answer to the operator until the fan can read it.
const WITHIN_MS: f64 = 1_000.0;
/// Rounds of pausing and resuming; the best of each counts, because the machine that runs this does much else, and
/// one pause of a processor is not a slow waiting room.
const ROUNDS: usize = 3;

/// Remembers when the page first said each of two things.
const LISTEN: &str = "
    const [paused] = arguments;
    const now = () => performance.timeOrigin + performance.now();
    window.heard = [];
    let was = false;
    const look = () => {
        const is = document.querySelector('main').innerText.includes(paused);
        if (is !== was) window.heard.push(now());
        was = is;
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true,
        attributes: true });";

/// When the server had answered the last form of this page: sent in the background, or as a navigation.
const ANSWERED: &str = "
    const files = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
    const posts = files.filter(file => new URL(file.name).pathname === location.pathname);
    const last = posts[posts.length - 1];
    return performance.timeOrigin + (last.redirectEnd || last.responseEnd);";

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_reaches_an_open_page_within_a_second_and_so_does_going_on() {
    let test = "a_pause_reaches_an_open_page_within_a_second_and_so_does_going_on";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    sale.operator().await;
    let front = sale.block("an-evening").await;

    let fan = driver.open(&sale.url, PHONE).await;
    way::join(&fan, "an-evening").await;
    fan.see(way::WAITING).await;
    let ops = driver.open(&sale.url, DESKTOP).await;
    sign_in(&ops).await;
    ops.press("a[href='/ops/drops/an-evening']").await;
    ops.arrive("/ops/drops/an-evening").await;
    ops.read("Live").await;
    ops.watch_shifts().await;
    fan.watch_shifts().await;
    front.thin_out("an-evening").await;
    ops.becomes("document.querySelector('[data-live=waiting]').textContent === '1'").await;
    ops.assert_still().await;

    // half written when something more urgent comes, and still there afterwards
    ops.fill("#text", "Doors open at seven.").await;
    let (mut pauses, mut resumes) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let reason = format!("The hall's lights are mended, part {round}");
        fan.run_with(LISTEN, vec![reason.as_str().into()]).await;
        let paused = pause(&ops, &reason).await;
        fan.read(&reason).await;
        let resumed = resume(&ops).await;
        fan.becomes("window.heard.length === 2").await;
        let heard = fan.run("return window.heard").await;
        pauses.push(number(&heard[0]) - paused);
        resumes.push(number(&heard[1]) - resumed);
    }
    println!("heard after: pause {pauses:.0?} ms, going on {resumes:.0?} ms");
    for all in [&pauses, &resumes] {
        assert!(all.iter().any(|ms| *ms <= WITHIN_MS), "pauses {pauses:?} ms, going on {resumes:?} ms");
    }

    ops.press("[data-part=notice] form button").await;
    fan.read("Doors open at seven.").await;
    ops.press("[data-part=notice] input[value=withdraw] ~ button").await;
    ops.read("The notice is taken back.").await;
    fan.becomes("!document.querySelector('#notice').innerText.includes('Doors open')").await;

    fan.assert_still().await;
    sale.steer(&["set", "an-evening", "--max-active", "1000"]).await;
    ops.fill("#rate", "6000").await;
    ops.press("[data-set]").await;
    ops.press("label:has([name=sure][value='6000'])").await; // six thousand times as many: is it meant?
    ops.press("[data-set]").await;
    ops.read("The rate is 6,000 a minute now").await;
    fan.see(way::CALLED).await;
    // the one fan who was shown an estimate is on its report card
    ops.becomes("document.querySelector('[data-live=judged]').textContent === '1'").await;
    ops.becomes("document.querySelector('[data-report=some]').checkVisibility()").await;
    fan.assert_silent(&[]).await;
    ops.assert_silent(&["422"]).await; // the rate that wanted a second word
}

pub(super) async fn sign_in(tab: &Tab) {
    tab.goto("/ops").await;
    tab.fill("#email", OPERATOR).await;
    tab.fill("#password", PASSWORD).await;
    tab.press("form[action='/ops/sign-in'] button").await;
    tab.arrive("/ops").await;
    tab.see("form[action='/ops/sign-out']").await;
}

/// When the server had answered, in milliseconds since 1970.
async fn pause(ops: &Tab, reason: &str) -> f64 {
    ops.press("form.pause details summary").await;
    ops.fill("#words", reason).await;
    ops.press("form.pause > button").await;
    ops.see("input[name=do][value=resume] ~ button").await;
    number(&ops.run(ANSWERED).await)
}

async fn resume(ops: &Tab) -> f64 {
    ops.press("input[name=do][value=resume] ~ button").await;
    ops.see("form.pause > button").await;
    number(&ops.run(ANSWERED).await)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} instead of a time"))
}
