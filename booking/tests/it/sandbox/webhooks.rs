//! The shop is told everything at least once, signed, and again until it listens.

use super::{PRICE, bank::Bank, shop::Shop};

#[tokio::test]
async fn every_step_is_told() {
    let mut shop = Shop::failing(0);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    let id = bank.authorised(PRICE).await;
    bank.post(&format!("/v1/payment_intents/{id}/capture"), &[], None).await;
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let (_, event) = shop.next().await;
        assert_eq!(event["data"]["object"]["id"], id.as_str());
        kinds.push(event["type"].as_str().expect("a type").to_owned());
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["payment_intent.amount_capturable_updated", "payment_intent.created", "payment_intent.succeeded"]
    );
}

#[tokio::test]
async fn a_webhook_refused_comes_again() {
    let mut shop = Shop::failing(2);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.created(PRICE).await;
    let tries = [shop.next().await, shop.next().await, shop.next().await];
    assert_eq!(tries.each_ref().map(|(status, _)| *status), [500, 500, 200]);
    assert_eq!(tries[0].1["id"], tries[2].1["id"]);
}

#[tokio::test]
async fn what_is_owed_at_the_end_is_sent_after_the_next_start() {
    let mut shop = Shop::failing(1);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.created(PRICE).await;
    let (status, first) = shop.next().await;
    assert_eq!(status, 500);
    let _bank = bank.restart(|_| {}).await;
    let (status, second) = shop.next().await;
    assert_eq!((status, &second["id"]), (200, &first["id"]));
}
