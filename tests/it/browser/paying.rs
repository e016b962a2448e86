//! Paying on a phone, by a nervous thumb: twice, back and forth, and slowly.

use super::axe::Axe;
use super::driver::Driver;
use super::sale::Sale;
use super::screen::PHONE;
use super::tab::Tab;
use super::way;

const DROP: &str = "an-evening";

/// Shows what there is to be paid for, once it is held.
async fn at_the_checkout(driver: &Driver, more: &[&str]) -> (Sale, Tab) {
    let sale = Sale::start().await;
    let event = sale.event("An evening", more).await;
    sale.open(DROP, &event, &[]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, DROP).await;
    tab.see(way::CALLED).await;
    way::enter(&tab, &event, true).await;
    way::take_the_best(&tab).await;
    way::sign_up(&tab, "ada").await;
    tab.arrive("/checkout/").await;
    (sale, tab)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_with_3d_secure_is_one_booking_whatever_the_thumb_does() {
    let test = "a_purchase_with_3d_secure_is_one_booking_whatever_the_thumb_does";
    let Some(driver) = Driver::start(test).await else { return };
    let (_sale, tab) = at_the_checkout(&driver, &["--fee", "Service fee=250"]).await;
    let booking = tab.path().await;
    tab.read("Service fee").await;
    tab.read("$5.00").await; // for two

    tab.reload().await;
    tab.press("label.choice:has(input[name=card][value=bank])").await;
    // twice, faster than the page can rest its button
    tab.run("const pay = document.querySelector('button[value=pay]'); pay.click(); pay.click();").await;
    tab.arrive("/sandbox/3ds/").await;
    let bank = tab.path().await;
    tab.reload().await; // in the middle of it
    tab.see("button[name=outcome][value=approve]").await;

    tab.back().await;
    tab.arrive(&booking).await;
    way::pay(&tab, "bank").await;
    tab.arrive("/sandbox/3ds/").await;
    assert_eq!(tab.path().await, bank, "the same payment goes on");
    way::approve(&tab).await;
    assert!(tab.path().await.starts_with(&booking), "the same booking: {}", tab.path().await);

    tab.back().await;
    tab.back().await;
    tab.goto(&booking).await;
    tab.read("You have it").await;
    assert!(!tab.has("button[value=pay]").await, "nothing is paid twice");
    tab.reload().await;
    tab.see(".ticket").await;
    tab.goto("/account").await;
    tab.becomes("document.querySelectorAll(\"main a[href^='/checkout/']\").length === 1").await;
    tab.assert_silent(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_longer_is_warned_and_keeps_what_was_typed() {
    let test = "who_needs_longer_is_warned_and_keeps_what_was_typed";
    let Some(driver) = Driver::start(test).await else { return };
    let (_sale, tab) = at_the_checkout(&driver, &[]).await;
    tab.press("label.choice:has(input[name=card][value=funds])").await;
    tab.becomes("!document.querySelector('#more-time').checkVisibility()").await; // there is time yet
    tab.watch_shifts().await;
    tab.run("document.querySelector('#hold-left').closest('main').same = true").await;

    tab.run(way::HURRY).await;
    tab.see("#more-time button").await;
    tab.becomes("/left to pay. If you need longer/.test(document.querySelector('[role=status]').textContent)").await;
    tab.assert_still().await; // it comes up over the page, and nothing moves
    if let Some(axe) = Axe::load(test) {
        tab.paint(false).await;
        assert_eq!(axe.violations(&tab).await, [""; 0]);
    }
    tab.press("#more-time button").await;
    tab.read("you can ask 9 more times").await;
    tab.becomes("/^1[12]:/.test(document.querySelector('#hold-left').textContent)").await;
    tab.becomes("document.querySelector('main').same && document.querySelector('input[value=funds]').checked").await;
    tab.run("document.activeElement.blur()").await;
    tab.becomes("!document.querySelector('#more-time').checkVisibility()").await;
    assert_eq!(tab.sticking_out(PHONE).await, [""; 0]);
    tab.assert_silent(&[]).await;
}

/// Shows a part of the hall that has a place for a wheelchair.
const FIND_KEPT: &str = "
    const zone = document.querySelector('#zone');
    for (const option of zone.options) {
        zone.value = option.value;
        zone.dispatchEvent(new Event('change'));
        if (document.querySelector('#rows .kept')) return true;
    }
    return false;";

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_kept_for_wheelchairs_says_so_before_it_is_taken() {
    let test = "a_seat_kept_for_wheelchairs_says_so_before_it_is_taken";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &[]).await;
    sale.open(DROP, &event, &[]).await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, DROP).await;
    tab.see(way::CALLED).await;
    way::enter(&tab, &event, true).await;
    tab.see("#map").await;
    assert_eq!(tab.run(FIND_KEPT).await, true, "Carnegie Hall has them");
    let space = "#rows .kept:has(input:not(:disabled))";
    tab.press(space).await;
    tab.read("kept for somebody in a wheelchair and whoever comes along").await;
    assert_eq!(tab.run("return document.querySelectorAll('#chosen .chip').length").await, 0, "not by accident");
    assert_eq!(tab.sticking_out(PHONE).await, [""; 0]);
    if let Some(axe) = Axe::load(test) {
        tab.paint(false).await;
        assert_eq!(axe.violations(&tab).await, [""; 0]);
    }
    tab.press("#news button").await;
    tab.becomes("document.querySelectorAll('#chosen .chip').length === 1").await;
    tab.press("#hold").await;
    way::sign_up(&tab, "grace").await;
    tab.arrive("/checkout/").await;
    tab.read("wheelchair space").await;
    tab.assert_silent(&[]).await;
}
