//! Seats we choose.

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
