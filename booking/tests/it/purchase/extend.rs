//! More time for whoever needs it.

use booking::purchase::expiry;

use super::*;

async fn extend(fixture: &Fixture, fan: &Fan, booking_id: Uuid) -> Answer {
    Answer::of(fixture.post(fan, &format!("/booking/{booking_id}/extend"), None, &json!({}))).await
}

fn end(answer: &Answer) -> jiff::Timestamp {
    answer.body["expires_at"].as_str().and_then(|end| end.parse().ok()).expect("an end")
}

#[tokio::test]
async fn a_fan_gets_more_time_ten_times() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let slow = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &slow, &sale, &["A-1"]).await;
    let id = booking.booking_id();
    assert_eq!(look(&fixture, &slow.fan, id).await.body["extensions_left"], 10);
    let first = end(&booking);
    for round in 1..=10_i64 {
        let answer = extend(&fixture, &slow.fan, id).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["extensions_left"], 10 - round);
        assert_eq!(end(&answer), first + jiff::SignedDuration::from_secs(120 * round));
    }
    assert_eq!(extend(&fixture, &slow.fan, id).await.told(), (409, "extension"));

    fixture.clock.advance(seconds(600 + 1_190));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 1, "the seats follow");
    assert_eq!(confirm(&fixture, &slow.fan, id, Some("pm_card_visa")).await.status, 200);
}

#[tokio::test]
async fn the_longest_hold_ends_too() {
    let fixture = still_with(json!({ "extensions_max": 2 })).await;
    let sale = fixture.on_sale(1, 4).await;
    let slow = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &slow, &sale, &["A-1"]).await.booking_id();
    for expected in [200, 200, 409] {
        assert_eq!(extend(&fixture, &slow.fan, id).await.status, expected);
    }
    fixture.clock.advance(seconds(600 + 240));
    assert_eq!(extend(&fixture, &slow.fan, id).await.told(), (410, "booking-expired"));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
    assert_eq!(extend(&fixture, &slow.fan, id).await.told(), (410, "booking-expired"));
}

#[tokio::test]
async fn only_what_can_be_paid_is_extended() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, other) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert_eq!(extend(&fixture, &other.fan, id).await.told(), (404, "booking"));
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
    assert_eq!(extend(&fixture, &one.fan, id).await.told(), (409, "booking-completed"));
    assert_eq!(look(&fixture, &one.fan, id).await.body["extensions_left"], 0);
}

#[tokio::test]
async fn pressing_twice_at_once_never_refuses() {
    let fixture = still_with(json!({ "extensions_max": 3 })).await;
    let sale = fixture.on_sale(1, 4).await;
    let slow = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &slow, &sale, &["A-1"]).await.booking_id();
    let presses = (0..3).map(|_| extend(&fixture, &slow.fan, id));
    for answer in futures_util::future::join_all(presses).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!((1..=3).contains(&count(&fixture, "SELECT extensions::bigint FROM bookings").await));
}
