//! Seats that come back belong to the line first.

use admission::line::Newcomer;

use super::*;

/// One of four seats is held and given up while somebody waits in the line. Who was inside before may not have it for
/// two minutes; who is let in afterwards may.
async fn comes_back(fixture: &Fixture) {
    let sale = fixture.on_sale(1, 4).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let (one, before) = (buyer(fixture, &sale).await, buyer(fixture, &sale).await);
    let booking_id = booked(fixture, &one, &sale, &["A-1"]).await.booking_id();
    let place = Place::from_bytes(encoding::random());
    let waiting = Newcomer { place, visitor_hash: [0; 32], receipt: None, account: None };
    fixture.app.line.join(&sale.drop, &[waiting]).await.unwrap();
    fixture.clock.advance(seconds(10));
    assert_eq!(cancel(fixture, &one.fan, booking_id).await.status, 200);

    assert_eq!(checkout(fixture, &before, &named(&sale, &["A-1"])).await.told(), (409, "seats-taken"));
    assert_eq!(checkout(fixture, &before, &best(&sale, 4)).await.told(), (409, "sold-out"));
    assert_eq!(checkout(fixture, &before, &best(&sale, 3)).await.seats(), ["A-2", "A-3", "A-4"]);

    fixture.clock.advance(seconds(10));
    let (since, again) = (buyer(fixture, &sale).await, buyer(fixture, &sale).await);
    let answer = checkout(fixture, &since, &best(&sale, 1)).await;
    assert_eq!(answer.seats(), ["A-1"]);
    assert_eq!(checkout(fixture, &again, &best(&sale, 1)).await.told(), (409, "sold-out"));
}

#[tokio::test]
async fn a_returned_seat_goes_to_the_line() {
    comes_back(&still_with(deaf()).await).await;
}

#[tokio::test]
async fn a_returned_seat_goes_to_the_line_while_redis_knows_nothing_of_seats() {
    let mut settings = deaf();
    settings["hold_timeout_ms"] = json!(0);
    comes_back(&still_with(settings).await).await;
}

#[tokio::test]
async fn two_minutes_later_it_is_anybodys() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 2).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let (one, before) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let booking_id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let waiting =
        Newcomer { place: Place::from_bytes(encoding::random()), visitor_hash: [0; 32], receipt: None, account: None };
    fixture.app.line.join(&sale.drop, &[waiting]).await.unwrap();
    fixture.clock.advance(seconds(10));
    assert_eq!(cancel(&fixture, &one.fan, booking_id).await.status, 200);
    fixture.clock.advance(seconds(119));
    assert_eq!(checkout(&fixture, &before, &best(&sale, 2)).await.told(), (409, "sold-out"));
    fixture.clock.advance(seconds(2));
    assert_eq!(checkout(&fixture, &before, &best(&sale, 2)).await.seats(), ["A-1", "A-2"]);
}
