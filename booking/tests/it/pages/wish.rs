//! Pressing "hold" before signing in.

use super::browser::{Browser, Page, fields};
use crate::fixture::{Fixture, PASSWORD, Sale};

const WISH: &str = "__Host-onsale-wish";

fn seats_of(sale: &Sale) -> String {
    format!("/e/{}/seats", sale.event_id)
}

/// Presses the button while signed out; where signing in is to lead.
async fn press<'a>(fixture: &'a Fixture, sale: &Sale, wish: &[(&str, &str)]) -> (Browser<'a>, String) {
    let mut fan = Browser::admitted(fixture, sale).await;
    fan.sign_out();
    let sent = fan.post(&seats_of(sale), &fields(wish)).await;
    fan.keep(&sent);
    let query = sent.location().split_once('?').expect("a query").1.to_owned();
    let next = form_urlencoded::parse(query.as_bytes()).next().expect("next").1.into_owned();
    (fan, next)
}

async fn sign_up(fan: &mut Browser<'_>, next: &str) -> Page {
    let email = format!("{}@fans.test", uuid::Uuid::new_v4().simple());
    let form = [("next", next), ("username", "Ada"), ("email", email.as_str()), ("password", PASSWORD), ("phone", "")];
    let done = fan.post("/account/sign-up", &fields(&form)).await;
    fan.keep(&done);
    done
}

async fn bookings(fixture: &Fixture) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(&fixture.world.pool).await.unwrap()
}

#[tokio::test]
async fn signing_up_leads_straight_to_the_held_seats() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let (mut fan, next) = press(&fixture, &sale, &[("key", "k"), ("seats", "A-1"), ("seats", "B-2")]).await;
    let held = sign_up(&mut fan, &next).await.location();
    assert!(held.starts_with("/checkout/"), "{held}");
    let page = fan.get(&held).await;
    assert!(page.text.contains("Row A, seat 1") && page.text.contains("Row B, seat 2"), "{}", page.text);
    assert!(!fan.has_cookie(WISH), "used once");

    // as good as pressing the button: pressing it on the page before is the same wish
    let wish = fields(&[("key", "k"), ("seats", "A-1"), ("seats", "B-2")]);
    assert_eq!(fan.post(&seats_of(&sale), &wish).await.location(), held);

    let best = [("key", "k"), ("best", "1"), ("quantity", "2"), ("price", "tier:standard")];
    let (mut other, next) = press(&fixture, &sale, &best).await;
    let held = sign_up(&mut other, &next).await.location();
    let page = other.get(&held).await;
    assert!(page.text.contains("Pay $20.00"), "two seats of ours: {held} {}", page.text);
}

#[tokio::test]
async fn an_address_alone_holds_nothing() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let wish = [("key", "k"), ("seats", "A-1")];
    let (_, someone_elses) = press(&fixture, &sale, &wish).await;

    // a link that another browser was sent
    let mut lured = Browser::admitted(&fixture, &sale).await;
    lured.sign_out();
    assert_eq!(sign_up(&mut lured, &someone_elses).await.location(), someone_elses);
    // and one who has pressed the button for something else
    let (mut busy, _) = press(&fixture, &sale, &[("key", "k"), ("seats", "B-2")]).await;
    assert_eq!(sign_up(&mut busy, &someone_elses).await.location(), someone_elses);
    assert_eq!(bookings(&fixture).await, 0);
    let short = lured.get(&someone_elses).await.location();
    let page = lured.get(&short).await;
    assert!(page.text.contains("press Hold once more") && page.checked("A-1"), "{}", page.text);
}

#[tokio::test]
async fn what_went_meanwhile_is_named() {
    let fixture = Fixture::with(serde_json::json!({ "availability_ms": 1 })).await;
    let sale = fixture.on_sale(1, 4).await;
    let (mut fan, next) = press(&fixture, &sale, &[("key", "k"), ("seats", "A-1"), ("seats", "A-2")]).await;
    let faster = Browser::admitted(&fixture, &sale).await;
    assert_eq!(faster.post(&seats_of(&sale), &fields(&[("key", "k"), ("seats", "A-2")])).await.status, 303);
    assert_eq!(sign_up(&mut fan, &next).await.location(), next);
    let short = fan.get(&next).await.location();
    let page = fan.get(&short).await;
    assert!(page.text.contains("Seat A-2 has just been taken"), "{}", page.text);
    assert!(page.checked("A-1") && !page.checked("A-2"), "{}", page.text);
}
