//! What a fan does on the way to a ticket, a step a function.

use super::tab::Tab;

pub(super) const WAITING: &str = ".faces > [data-face=waiting]:not([hidden])";
pub(super) const CALLED: &str = ".faces > [data-face=called]:not([hidden])";

/// In the page's own eyes it is eight minutes and a bit later.
pub(super) const HURRY: &str = "const now = Date.now; Date.now = () => now() + 490000;";

pub(super) async fn join(tab: &Tab, drop: &str) {
    tab.goto(&format!("/queue/{drop}")).await;
    tab.press("button[name=do][value=join]").await;
}

/// From the turn to the seats; the door may open at once, or a moment later.
pub(super) async fn enter(tab: &Tab, event: &str, is_live: bool) {
    tab.press("[data-face=called] button").await;
    let seats = format!("/e/{event}/seats");
    if !is_live {
        // without scripts nobody presses for the fan
        while !tab.path().await.starts_with(&seats) {
            tab.see("[data-face=claiming]:not([hidden]), [data-face=admitted]:not([hidden]), .best").await;
            if tab.has("[data-face=admitted]:not([hidden])").await {
                tab.press("[data-face=admitted] button").await;
            } else {
                tab.reload().await;
            }
        }
    }
    tab.arrive(&seats).await;
}

/// Takes the best seats that are left, and is asked for an account when there is none yet.
pub(super) async fn take_the_best(tab: &Tab) {
    tab.press(".best button").await;
}

pub(super) async fn sign_up(tab: &Tab, name: &str) {
    tab.arrive("/account").await;
    tab.fill("#up-username", name).await;
    tab.fill("#up-email", &format!("{name}@fans.example")).await;
    tab.fill("#up-password", "correct horse battery staple").await;
    tab.press("form[action='/account/sign-up'] button").await;
}

/// Pays with one of the cards of the test bank.
pub(super) async fn pay(tab: &Tab, card: &str) {
    tab.arrive("/checkout/").await;
    tab.press(&format!("label.choice:has(input[name=card][value={card}])")).await;
    tab.press("button[name=do][value=pay]").await;
}

/// Says yes at the bank, and comes back with tickets.
pub(super) async fn approve(tab: &Tab) {
    tab.arrive("/sandbox/3ds/").await;
    tab.press("button[name=outcome][value=approve]").await;
    tab.arrive("/checkout/").await;
    tab.read("You have it").await;
    tab.see(".ticket").await;
}
