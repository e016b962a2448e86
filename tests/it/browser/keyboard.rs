//! No mouse, no touch: keys alone.

use fantoccini::key::Key;

use super::driver::Driver;
use super::sale::Sale;
use super::screen::DESKTOP;
use super::tab::Tab;

/// More stops than any page may have between two things one wants.
const STOPS_MAX: usize = 600;
/// Strokes sent at once: each alone would be a conversation with the driver.
const STROKES: usize = 20;

/// Whoever has arrived goes no further, however often the key is struck.
const STOP_AT: &str = "
    const [css] = arguments;
    window.stopping?.abort();
    window.stopping = new AbortController();
    addEventListener('keydown', event => {
        if (event.key === 'Tab' && document.activeElement.matches(css)) event.preventDefault();
    }, { capture: true, signal: window.stopping.signal });";

/// Around the thing itself, or around the box that is drawn for it.
const OUTLINED: &str = "[document.activeElement, document.activeElement.closest('label')]
    .some(element => element && getComputedStyle(element).outlineStyle !== 'none')";

#[tokio::test(flavor = "multi_thread")]
async fn keys_alone_lead_from_the_line_to_a_chosen_seat_and_a_ticket() {
    let test = "keys_alone_lead_from_the_line_to_a_chosen_seat_and_a_ticket";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open("an-evening", &event, &[]).await;
    let tab = driver.open(&sale.url, DESKTOP).await;

    tab.goto("/queue/an-evening").await;
    tab.hit("button[name=do][value=join]", Key::Enter).await;
    tab.hit("[data-face=called] button", Key::Enter).await;
    tab.arrive(&format!("/e/{event}/seats")).await;
    tab.see("#map").await; // now the list is live, too
    tab.hit("#rows input:not(:disabled)", Key::Space).await;
    tab.hit("#hold", Key::Enter).await;

    tab.arrive("/account").await;
    for (field, text) in [("username", "grace"), ("email", "grace@fans.example"), ("password", "correct horse battery")]
    {
        tab.hop(&format!("#up-{field}")).await;
        tab.strike(text).await;
    }
    tab.strike(&char::from(Key::Enter).to_string()).await;
    tab.arrive("/checkout/").await; // what was chosen is held, without another stroke
    tab.read("Pay for your ticket").await;
    tab.hop("input[name=card]").await;
    tab.hit("button[name=do][value=pay]", Key::Enter).await;
    tab.read("You have it").await;
    tab.assert_silent(&[]).await;
}

impl Tab {
    /// Walks by the tab key to what the selector names, and strikes a key there.
    async fn hit(&self, css: &str, key: Key) {
        self.hop(css).await;
        self.strike(&char::from(key).to_string()).await;
    }

    /// Walks by the tab key until what the selector names has the focus, and can be seen to have it.
    async fn hop(&self, css: &str) {
        self.becomes(&format!("document.querySelector({css:?})")).await;
        let there = format!("document.activeElement.matches({css:?})");
        let script = format!("return {there} && document.activeElement.getClientRects().length > 0");
        self.run_with(STOP_AT, vec![css.into()]).await;
        for _ in 0..STOPS_MAX / STROKES {
            if self.run(&script).await == true {
                self.becomes(OUTLINED).await;
                return;
            }
            self.strike(&char::from(Key::Tab).to_string().repeat(STROKES)).await;
        }
        self.becomes(&there).await;
    }
}
