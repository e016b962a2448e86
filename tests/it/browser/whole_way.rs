//! One fan from the start page to a ticket, on a phone.

use super::driver::Driver;
use super::sale::Sale;
use super::screen::PHONE;
use super::way;

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_comes_home_with_tickets_on_a_phone() {
    from_home_to_tickets("a_fan_comes_home_with_tickets_on_a_phone", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_comes_home_with_tickets_without_javascript() {
    from_home_to_tickets("a_fan_comes_home_with_tickets_without_javascript", false).await;
}

async fn from_home_to_tickets(test: &str, is_live: bool) {
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let event = sale.event("An evening", &["--price", "balcony=3500"]).await;
    sale.open("an-evening", &event, &[]).await;
    let front = sale.block("an-evening").await;
    let tab = driver.open(&sale.url, PHONE).await;
    if !is_live {
        tab.without_javascript().await;
    }

    // a listing may be a few seconds old
    let link = format!("a[href='/e/{event}']");
    tab.goto_until("/", &link).await;
    tab.press(&link).await;
    tab.arrive(&format!("/e/{event}")).await;
    tab.goto_until(&format!("/e/{event}"), "form[action='/queue/an-evening']").await;
    tab.press("form[action='/queue/an-evening'] button").await;

    tab.arrive("/queue/an-evening").await;
    tab.see(way::WAITING).await;
    tab.read("1 person is ahead of you").await;
    if is_live {
        tab.watch_shifts().await;
    }
    front.thin_out("an-evening").await;
    tab.read("you are next").await; // by itself, with scripts or without
    sale.hurry("an-evening").await;
    tab.see(way::CALLED).await;
    if is_live {
        tab.assert_still().await;
    }
    tab.reload().await; // the place stays whatever the browser does
    tab.see(way::CALLED).await;

    way::enter(&tab, &event, is_live).await;
    way::take_the_best(&tab).await;
    way::sign_up(&tab, "ada").await; // and the seats are held: nobody presses twice
    way::pay(&tab, "bank").await;
    way::approve(&tab).await;

    tab.goto("/account").await;
    tab.read("An evening").await;
    tab.goto("/queue/an-evening").await;
    tab.read("You have your tickets").await;
    tab.assert_silent(&[]).await;
}
