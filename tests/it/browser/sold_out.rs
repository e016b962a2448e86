//! The last ticket goes while others wait.

use serde_json::Value;

use super::driver::Driver;
use super::sale::Sale;
use super::screen::PHONE;
use super::way;

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_at_once_that_all_is_sold() {
    let Some(driver) = Driver::start("who_waits_is_told_at_once_that_all_is_sold").await else { return };
    let sale = Sale::start().await;
    let event = sale.event("A night", &["--capacity", "2", "--price", "general=5000"]).await;
    sale.open("a-night", &event, &[]).await;
    let front = sale.block("a-night").await;
    let tab = driver.open(&sale.url, PHONE).await;
    way::join(&tab, "a-night").await;
    tab.see(way::WAITING).await;
    tab.watch_shifts().await;
    tab.run("window.same = true").await;

    front.buy(&event, 2).await;
    tab.see(".faces > [data-face=sold_out]:not([hidden])").await;
    assert_eq!(tab.run("return window.same === true").await, Value::Bool(true), "the page was loaded anew");
    tab.assert_still().await;
    tab.assert_silent(&[]).await;
}
