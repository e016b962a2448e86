//! Seats we choose.

mod crowd;
pub(crate) mod hall;
mod last_look;
mod pools;
mod returned;
mod units;

use super::*;

#[tokio::test]
async fn neighbours_are_given_and_nobody_is_left_alone() {
    let fixture = still().await;
    let sale = fixture.on_sale(2, 5).await;
    let (one, two, three) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let got = |answer: &Answer| answer.seats().join(" ");

    assert_eq!(got(&checkout(&fixture, &one, &best(&sale, 3)).await), "A-1 A-2 A-3");
    assert_eq!(got(&checkout(&fixture, &two, &best(&sale, 4)).await), "B-1 B-2 B-3 B-4", "unavoidable");
    assert_eq!(got(&checkout(&fixture, &three, &best(&sale, 2)).await), "A-4 A-5");
}

#[tokio::test]
async fn tier_and_zone_count_and_sold_out_is_true() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let wish = |tier: &str, quantity: i64| json!({ "event_id": sale.event_id, "best_available": { "quantity": quantity, "tier": tier } });
    assert_eq!(checkout(&fixture, &one, &wish("gold", 1)).await.told(), (409, "sold-out"));
    let three = checkout(&fixture, &one, &wish("standard", 3)).await;
    assert_eq!(three.status, 201);
    assert_eq!(checkout(&fixture, &two, &best(&sale, 2)).await.told(), (409, "sold-out"));
    assert_eq!(checkout(&fixture, &two, &best(&sale, 1)).await.seats(), ["A-4"]);
}

#[tokio::test]
async fn general_admission_needs_no_layout() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 8).await;
    sqlx::query("UPDATE events SET layout_hash = NULL WHERE event_id = $1")
        .bind(sale.event_id)
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    let buyer = buyer(&fixture, &sale).await;
    assert_eq!(checkout(&fixture, &buyer, &best(&sale, 4)).await.seats().len(), 4);
}

#[tokio::test]
async fn no_ticket_costs_more_than_the_ceiling() {
    let fixture = still().await;
    let sale = hall::on_sale(&fixture, &["....".to_owned(), "....".to_owned()]).await;
    let (one, two, three) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let wish = |quantity: i64, most: i64| json!({ "event_id": sale.event_id, "best_available": { "quantity": quantity, "max_price": most } });
    assert_eq!(checkout(&fixture, &one, &wish(1, hall::FAR_PRICE - 1)).await.told(), (409, "sold-out"));
    assert_eq!(checkout(&fixture, &one, &wish(2, hall::NEAR_PRICE)).await.seats(), ["1-3", "1-4"]);
    let far = checkout(&fixture, &two, &wish(4, hall::FAR_PRICE)).await;
    assert_eq!(far.seats(), ["2-1", "2-2", "2-3", "2-4"]);
    assert_eq!(checkout(&fixture, &three, &wish(1, hall::FAR_PRICE)).await.told(), (409, "sold-out"));
}

/// The chooser's prices may be a minute old; the transaction's are not.
#[tokio::test]
async fn a_price_that_rises_meanwhile_stays_below_the_ceiling_or_is_not_paid() {
    let fixture = still().await;
    let sale = hall::on_sale(&fixture, &["....".to_owned(), "....".to_owned()]).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let wish = json!({ "event_id": sale.event_id, "best_available": { "quantity": 1, "max_price": hall::NEAR_PRICE } });
    assert_eq!(checkout(&fixture, &one, &wish).await.seats(), ["1-4"]);
    sqlx::query("UPDATE tickets SET price = price + 1 WHERE event_id = $1 AND tier = 'near'")
        .bind(sale.event_id)
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    let got = checkout(&fixture, &two, &wish).await;
    assert_eq!(got.status, 201, "{got:?}");
    assert!(got.seats()[0].starts_with("2-"), "{got:?}");
}
