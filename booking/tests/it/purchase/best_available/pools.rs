//! Seats kept for wheelchairs and for who comes along.

use super::hall::{FAR_PRICE, on_sale};
use super::*;

fn accessible(sale: &Sale, quantity: i64) -> Value {
    json!({ "event_id": sale.event_id, "best_available": { "quantity": quantity, "accessible": true } })
}

fn rows(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

#[tokio::test]
async fn they_go_only_to_orders_that_say_so() {
    let fixture = still().await;
    let sale = on_sale(&fixture, &rows(&["....", "wcwc"])).await;
    let mut buyers = Vec::new();
    for _ in 0..4 {
        buyers.push(buyer(&fixture, &sale).await);
    }
    assert_eq!(checkout(&fixture, &buyers[0], &best(&sale, 4)).await.seats(), ["1-1", "1-2", "1-3", "1-4"]);
    // all others are held, none is sold: who may have them comes first
    assert_eq!(checkout(&fixture, &buyers[1], &best(&sale, 1)).await.told(), (409, "sold-out"));
    let refused = checkout(&fixture, &buyers[1], &named(&sale, &["2-1", "2-2"])).await;
    assert_eq!(refused.told(), (422, "accessible-seats"));
    assert_eq!(refused.body["seats"], json!(["2-1", "2-2"]));
    let mut alone = named(&sale, &["2-2"]);
    alone["accessible"] = json!(true);
    let refused = checkout(&fixture, &buyers[1], &alone).await;
    assert_eq!(refused.told(), (422, "accessible-seats"), "no companion without a wheelchair");

    let mut together = named(&sale, &["2-1", "2-2"]);
    together["accessible"] = json!(true);
    assert_eq!(checkout(&fixture, &buyers[1], &together).await.status, 201);
    assert_eq!(checkout(&fixture, &buyers[2], &accessible(&sale, 2)).await.seats(), ["2-3", "2-4"]);
    assert_eq!(checkout(&fixture, &buyers[3], &accessible(&sale, 1)).await.told(), (409, "sold-out"));
}

#[tokio::test]
async fn a_wheelchair_takes_no_more_of_them_than_it_needs() {
    let fixture = still().await;
    let sale = on_sale(&fixture, &rows(&["......", "wcwc.."])).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    assert_eq!(checkout(&fixture, &one, &accessible(&sale, 3)).await.seats(), ["2-2", "2-3", "2-4"]);
    assert_eq!(checkout(&fixture, &two, &accessible(&sale, 1)).await.seats(), ["2-1"]);
}

#[tokio::test]
async fn they_are_everybodys_when_every_other_seat_is_sold() {
    let fixture = still().await;
    let sale = on_sale(&fixture, &rows(&["..", "wc"])).await;
    let (one, two, three) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let first = checkout(&fixture, &one, &best(&sale, 2)).await;
    assert_eq!(checkout(&fixture, &two, &best(&sale, 1)).await.told(), (409, "sold-out"));
    let paid = confirm(&fixture, &one.fan, first.booking_id(), Some("pm_card_visa")).await;
    assert_eq!(paid.status, 200);
    let cheap = json!({ "event_id": sale.event_id, "best_available": { "quantity": 1, "max_price": FAR_PRICE } });
    assert_eq!(checkout(&fixture, &two, &cheap).await.seats().len(), 1);
    let left = if live_claim(&fixture, &sale, "2-1").await { "2-2" } else { "2-1" };
    assert_eq!(checkout(&fixture, &three, &named(&sale, &[left])).await.status, 201);
}

async fn live_claim(fixture: &Fixture, sale: &Sale, label: &str) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM claims c JOIN tickets t USING (ticket_id)
                        WHERE t.event_id = $1 AND t.seat_number = $2 AND c.state = 'held')",
    )
    .bind(sale.event_id)
    .bind(label)
    .fetch_one(&fixture.world.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_layout_says_which_they_are() {
    let fixture = still().await;
    let sale = on_sale(&fixture, &rows(&["..wc"])).await;
    let seats: Value = fixture
        .http
        .get(format!("{}/events/{}/seats", fixture.url, sale.event_id))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let path = seats["layout"].as_str().unwrap();
    let layout: Value = fixture.http.get(format!("{}{path}", fixture.url)).send().await.unwrap().json().await.unwrap();
    let access: Vec<&Value> = layout["seats"].as_array().unwrap().iter().map(|seat| &seat["access"]).collect();
    assert_eq!(access, [&Value::Null, &Value::Null, &json!("wheelchair"), &json!("companion")]);
    assert_eq!(seats["counts"]["available"], 4);
}
