//! Fees: named one by one, part of the total, and of what the provider is asked for.

use super::*;

/// 250 a ticket and 300 an order.
async fn charge_fees(fixture: &Fixture, sale: &Sale) {
    sqlx::query(
        "INSERT INTO event_fees (event_id, position, label, per, amount)
         VALUES ($1, 1, 'Service fee', 'ticket', 250), ($1, 2, 'Order fee', 'order', 300)",
    )
    .bind(sale.event_id)
    .execute(&fixture.world.pool)
    .await
    .expect("fees");
}

#[tokio::test]
async fn the_total_is_tickets_and_fees_and_the_intent_is_for_all_of_it() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    charge_fees(&fixture, &sale).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await;
    let fees = json!([{ "label": "Service fee", "amount": 500 }, { "label": "Order fee", "amount": 300 }]);
    assert_eq!(booking.body["fees"], fees);
    assert_eq!(booking.body["total"], json!({ "amount": 2 * SEAT_PRICE + 800, "currency": "USD" }));
    assert_eq!(fixture.intents().await[0]["amount"], 2 * SEAT_PRICE + 800);

    // set anew by the organiser: what was agreed stays
    sqlx::query("UPDATE event_fees SET amount = 999").execute(&fixture.world.pool).await.expect("dearer");
    let id = booking.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    let seen = look(&fixture, &buyer.fan, id).await;
    assert_eq!((&seen.body["fees"], &seen.body["status"]), (&fees, &json!("completed")));
    assert_eq!(fixture.intents().await[0]["amount_received"], 2 * SEAT_PRICE + 800);
}

#[tokio::test]
async fn an_event_without_fees_lists_none() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let booking = booked(&fixture, &buyer, &sale, &["A-1"]).await;
    assert_eq!((&booking.body["fees"], &booking.body["total"]["amount"]), (&json!([]), &json!(SEAT_PRICE)));
}
