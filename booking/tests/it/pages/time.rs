//! What the checkout says of money and time.

use std::time::Duration;

use booking::purchase::refund::refund;
use booking::purchase::release::Returned;

use super::browser::{Browser, fields};
use super::checkout::{alone, held, pay};
use crate::fixture::{Fixture, Sale};

async fn charge(fixture: &Fixture, sale: &Sale) {
    sqlx::query(
        "INSERT INTO event_fees (event_id, position, label, per, amount)
         VALUES ($1, 0, 'Service fee', 'ticket', 250), ($1, 1, 'Order fee', 'order', 300)",
    )
    .bind(sale.event_id)
    .execute(&fixture.world.pool)
    .await
    .expect("fees");
}

#[tokio::test]
async fn fees_are_named_before_and_itemised_at_the_checkout() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    charge(&fixture, &sale).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let seats = format!("/e/{}/seats", sale.event_id);
    let choosing = fan.get(&format!("{seats}?seats=A-1,A-2")).await;
    for part in ["Service fee $2.50 a ticket, Order fee $3.00 an order", "2 seats · $28.00 with fees"] {
        assert!(choosing.text.contains(part), "{part}: {}", choosing.text);
    }
    let path = held(&fan, &sale).await;
    let lines = [">Service fee</th><td class=\"num\">$5.00<", ">Order fee</th><td class=\"num\">$3.00<"];
    let page = fan.get(&path).await;
    for part in lines.into_iter().chain([">Total</th><td class=\"num\">$28.00<", "Pay $28.00"]) {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert_eq!(pay(&fan, &path, "approves").await.location(), path);
    let page = fan.get(&path).await;
    for part in ["You have it", "Service fee", "$5.00", "Order fee", "$3.00", "$28.00"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
}

#[tokio::test]
async fn more_time_is_one_button_until_there_is_no_more() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let early = fan.get(&path).await;
    assert!(early.text.contains("I need more time") && early.text.contains("10 more times"), "{}", early.text);
    assert!(early.text.contains(" data-early"), "not in the way yet: {}", early.text);
    fixture.clock.advance(Duration::from_secs(500));
    assert!(!fan.get(&path).await.text.contains(" data-early"), "now it is");

    let more = fields(&[("do", "extend")]);
    for left in ["9 more times", "8 more times"] {
        let longer = fan.post(&path, &more).await.location();
        assert_eq!(longer, format!("{path}?time=more"));
        let page = fan.get(&longer).await;
        assert!(page.text.contains("held for longer now") && page.text.contains(left), "{}", page.text);
    }
    for _ in 0..8 {
        assert_eq!(fan.post(&path, &more).await.status, 303);
    }
    let last = fan.get(&format!("{path}?time=more")).await;
    assert!(last.text.contains("This was the last time") && !last.text.contains("I need more time"), "{}", last.text);
    assert!(last.text.contains("This is all the time there is"), "{}", last.text);
    let refused = fan.post(&path, &more).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("There is no more time") && refused.text.contains("Pay $20.00"), "{}", refused.text);

    // 100 seconds were left, and ten times 120 came on top
    fixture.clock.advance(Duration::from_secs(1_250));
    assert!(fan.get(&path).await.text.contains("Pay $20.00"), "still held");
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fan.post(&path, &more).await.location(), path, "over is over");
    assert!(fan.get(&path).await.text.contains("Your time to pay is over"));
}

#[tokio::test]
async fn the_bank_may_take_longer_than_the_hold_and_the_page_says_until_when() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let ends = fixture.clock.now().checked_add(jiff::SignedDuration::from_secs(600 + 900)).unwrap();
    let latest = ends.in_tz("America/New_York").unwrap().strftime("%-I:%M %P").to_string();
    let words = "stay held while your bank decides, until";
    let until = |text: &str| {
        let rest = text.split_once(words).map(|(_, rest)| rest.to_owned());
        rest.unwrap_or_else(|| panic!("no word of it: {text}")).chars().take(300).collect::<String>()
    };
    let away = pay(&fan, &path, "bank").await;
    assert!(until(&away.text).contains(&latest) && until(&away.text).contains("New York time"), "{}", away.text);
    let back = fan.get(&format!("{path}?bank=deciding")).await;
    assert!(back.text.contains("Confirming with your bank") && until(&back.text).contains(&latest), "{}", back.text);
    fixture.clock.advance(Duration::from_secs(700));
    let late = fan.get(&path).await;
    assert!(late.text.contains("Your time to pay is over") && until(&late.text).contains(&latest), "{}", late.text);

    let bank = away.text.split_once(&format!(r#"href="{}/sandbox/3ds/"#, fixture.sandbox_url)).expect("a link").1;
    let bank = format!("{}/sandbox/3ds/{}", fixture.sandbox_url, bank.split('"').next().unwrap());
    assert_eq!(Browser::new(&fixture).post(&bank, &fields(&[("outcome", "approve")])).await.status, 303);
    assert_eq!(fan.post(&path, &fields(&[("do", "check")])).await.location(), path);
    let page = fan.get(&path).await;
    assert!(
        page.text.contains("You have it") && page.text.contains("answered after your time was up"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn who_was_at_the_bank_for_too_long_may_ask_once_more() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    fixture.clock.advance(Duration::from_secs(700));
    booking::purchase::expiry::do_once(&fixture.app).await.unwrap();
    assert!(!fan.get(&path).await.text.contains("Ask the bank once more"));
    let page = fan.get(&format!("{path}?bank=deciding")).await;
    assert!(
        page.text.contains("The time to pay ran out") && page.text.contains("Ask the bank once more"),
        "{}",
        page.text
    );
    assert_eq!(fan.post(&path, &fields(&[("do", "check")])).await.location(), path);
}

#[tokio::test]
async fn a_refund_is_told_in_words() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    assert_eq!(pay(&fan, &path, "approves").await.location(), path);
    let booking_id = path.rsplit('/').next().unwrap().parse().unwrap();
    refund(&fixture.world.pool, booking_id, Returned::to_the_line(fixture.clock.now())).await.unwrap();
    let page = fan.get(&path).await;
    for part in ["This booking was refunded", "Your money is on its way back", r#"href="/account""#] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(!page.text.contains("<svg "), "no codes any more: {}", page.text);
}
