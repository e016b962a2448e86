//! The straight way, and the small detours every fan may take.

use super::*;

#[tokio::test]
async fn a_fan_buys_two_seats() {
    // no webhooks: one could settle first, and then the worker, which rests here, would have to capture
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(2, 4).await;
    let buyer = buyer(&fixture, &sale).await;

    let booking = checkout(&fixture, &buyer, &named(&sale, &["A-2", "A-1"])).await;
    assert_eq!(booking.status, 201);
    let mut keys: Vec<&str> = booking.body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["booking_id", "expires_at", "fees", "payment", "status", "tickets", "total"]);
    assert_eq!(booking.body["status"], "pending");
    assert_eq!(booking.body["total"], json!({ "amount": 2_000, "currency": "USD" }));
    assert_eq!(booking.seats(), ["A-1", "A-2"]);
    assert_eq!(booking.body["tickets"][0]["price"], 1_000);
    assert!(booking.body["tickets"][0]["ticket_id"].is_i64());
    assert_eq!(booking.body["payment"]["provider"], "stripe");
    let expires_at: jiff::Timestamp = booking.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(expires_at.duration_since(fixture.clock.now()).as_secs().abs_diff(600) <= 1);

    let seen = look(&fixture, &buyer.fan, booking.booking_id()).await;
    assert_eq!(seen.body["payment"], booking.body["payment"]);

    let completed = confirm(&fixture, &buyer.fan, booking.booking_id(), Some("pm_card_visa")).await;
    assert_eq!(completed.status, 200, "{completed:?}");
    assert_eq!(completed.body["status"], "completed");
    assert_eq!(completed.seats(), ["A-1", "A-2"]);
    assert!(completed.body["captured_at"].is_string(), "captured right after the commit");
    assert_eq!(completed.body["payment"], Value::Null);

    let intents = fixture.intents().await;
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0]["status"], "succeeded");
    assert_eq!(intents[0]["amount_received"], 2_000);
    let owners: Vec<(String, Uuid, Uuid)> = sqlx::query_as(
        "SELECT seat_number, user_id, booking_id FROM tickets WHERE status = 'purchased' ORDER BY seat_number",
    )
    .fetch_all(&fixture.world.pool)
    .await
    .unwrap();
    let (user, id) = (buyer.fan.user_id, booking.booking_id());
    assert_eq!(owners, [("A-1".to_owned(), user, id), ("A-2".to_owned(), user, id)]);

    // once more, and again by the browser: nothing new happens
    for method in [Some("pm_card_visa"), None] {
        assert_eq!(confirm(&fixture, &buyer.fan, id, method).await.status, 200);
    }
    assert_eq!(fixture.intents().await.len(), 1);

    // the place has bought
    let again = checkout(&fixture, &buyer, &named(&sale, &["A-3"])).await;
    assert_eq!(again.told(), (403, "place-ended"));
    let waiting = count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'end-place'").await;
    assert_eq!(waiting, 1, "the line is told");
    assert_eq!(cancel(&fixture, &buyer.fan, id).await.told(), (409, "booking-completed"));
}

#[tokio::test]
async fn a_payment_confirmed_in_the_browser_is_found() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;

    let early = confirm(&fixture, &buyer.fan, booking.booking_id(), None).await;
    assert_eq!(early.status, 202);
    assert_eq!(early.body["status"], "pending");

    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    assert_eq!(confirm(&fixture, &buyer.fan, booking.booking_id(), None).await.status, 200);
    assert_eq!(intent_status(&fixture, booking.booking_id()).await, "succeeded");
}

#[tokio::test]
async fn the_bank_may_ask_first() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();

    let asked = confirm(&fixture, &buyer.fan, id, Some("pm_card_threeDSecure2Required")).await;
    assert_eq!(asked.status, 202);
    assert_eq!(asked.body["status"], "pending");
    assert!(asked.body["next_action"]["redirect_to_url"]["url"].is_string(), "{asked:?}");
    assert_eq!(purchased(&fixture).await, 0);

    fixture.challenge(&intent_id(&fixture, id).await, true).await;
    assert_eq!(confirm(&fixture, &buyer.fan, id, None).await.status, 200);
    assert_eq!(purchased(&fixture).await, 1);
}

#[tokio::test]
async fn a_declined_card_leaves_the_booking_payable() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();

    let declined = confirm(&fixture, &buyer.fan, id, Some("pm_card_chargeDeclined")).await;
    assert_eq!(declined.told(), (402, "declined"));
    assert_eq!(look(&fixture, &buyer.fan, id).await.body["status"], "pending");
    assert_eq!(live_claims(&fixture).await, 1);

    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    assert_eq!(fixture.intents().await.len(), 1);
}

#[tokio::test]
async fn what_a_fan_gives_up_another_can_buy() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, other) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1", "A-2"]).await.booking_id();
    assert_eq!(checkout(&fixture, &other, &named(&sale, &["A-2"])).await.told(), (409, "seats-taken"));

    let gone = cancel(&fixture, &one.fan, id).await;
    assert_eq!((gone.status, &gone.body["status"]), (200, &json!("cancelled")));
    assert_eq!(gone.body["reason"], "given-up");
    assert_eq!(cancel(&fixture, &one.fan, id).await.status, 200, "again");
    drain_outbox(&fixture).await;
    assert_eq!(intent_status(&fixture, id).await, "canceled");

    let late = confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await;
    assert_eq!(late.told(), (410, "booking-expired"));
    booked(&fixture, &other, &sale, &["A-2"]).await;
    booked(&fixture, &one, &sale, &["A-1"]).await; // the place has not ended
}

#[tokio::test]
async fn the_line_learns_the_stock_and_who_has_bought() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    booked(&fixture, &two, &sale, &["A-2", "A-3"]).await;
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_visa")).await.status, 200);
    booking::purchase::stock::do_once(&fixture.app).await.unwrap();
    assert_eq!(stock(&fixture, &sale).await, (4, 2, 1));

    drain_outbox(&fixture).await;
    let ended = fixture.app.line.ended(&sale.drop, one.place).await.unwrap();
    assert!(ended.is_none() || ended == Some(admission::line::EndReason::Finished));
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'end-place' AND done_at IS NULL").await, 0);
}

/// Capacity, held, sold: what the line knows.
async fn stock(fixture: &Fixture, sale: &Sale) -> (u64, u64, u64) {
    let (_, watched) = fixture.app.line.watch(&sale.drop, None, false).await.expect("the line answers");
    (watched.counts.capacity, watched.counts.held, watched.counts.sold)
}
