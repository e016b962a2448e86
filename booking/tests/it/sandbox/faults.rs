//! Faults on demand: what each does to the answer, the effect, the idempotency key and the webhook.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock;

use super::{
    PRICE,
    bank::{self, Bank, Options},
    code,
    shop::Shop,
};

const CREATE: &str = "/v1/payment_intents";
const FORM: [(&str, &str); 2] = [("amount", "500"), ("currency", "usd")];

/// The same request under a key; None when nothing was answered.
async fn ask(bank: &Bank, key: &str) -> Option<(u16, Value)> {
    let request = bank.http.post(format!("{}{CREATE}", bank.url)).bearer_auth(bank::SECRET_KEY).form(&FORM);
    let response = request.header("Idempotency-Key", key).send().await.ok()?;
    Some((response.status().as_u16(), response.json().await.expect("JSON")))
}

#[tokio::test]
async fn a_500_is_what_its_key_gets_from_then_on() {
    let bank = Bank::start().await;
    for (effect, made) in [("500", 0), ("500_after", 1)] {
        bank.faults(json!([{ "call": "create", "effect": effect }])).await;
        let first = ask(&bank, effect).await.expect("answered");
        assert_eq!((first.0, &first.1["error"]["type"]), (500, &Value::from("api_error")));
        assert_eq!(ask(&bank, effect).await.expect("answered"), first);
        assert_eq!(bank.healed().await, [1], "asking again is answered from the books");
        assert_eq!(ask(&bank, effect).await.expect("answered"), first);
        assert_eq!(bank.intents().await.len(), made, "{effect}");
    }
    // and after a restart
    let bank = bank.restart(|_| {}).await;
    assert_eq!(ask(&bank, "500").await.expect("answered").0, 500);
    assert_eq!(ask(&bank, "another").await.expect("answered").0, 200);
}

#[tokio::test]
async fn a_429_leaves_its_key_free() {
    let bank = Bank::start().await;
    bank.faults(json!([{ "call": "create", "effect": "429", "times": 1 }])).await;
    let (status, refused) = ask(&bank, "k").await.expect("answered");
    assert_eq!((status, code(&refused)), (429, "rate_limit"));
    assert_eq!(bank.intents().await.len(), 0);
    assert_eq!(ask(&bank, "k").await.expect("answered").0, 200);
}

#[tokio::test]
async fn a_line_may_break_before_the_effect_or_after() {
    let bank = Bank::start().await;
    for (effect, made) in [("timeout_before", 0), ("timeout_after", 1)] {
        bank.faults(json!([{ "call": "create", "effect": effect, "times": 1 }])).await;
        let before = bank.intents().await.len();
        assert_eq!(ask(&bank, effect).await, None);
        assert_eq!(bank.intents().await.len() - before, made, "{effect}");
        assert_eq!(ask(&bank, effect).await.expect("answered").0, 200);
        assert_eq!(bank.intents().await.len() - before, 1, "{effect}");
    }
}

#[tokio::test]
async fn whoever_hangs_is_cut_at_the_end_of_the_script() {
    let bank = Bank::start().await;
    bank.faults(json!([{ "call": "create", "effect": "timeout_after", "ms": 86_400_000 }])).await;
    let (answer, ()) = tokio::join!(ask(&bank, "k"), async {
        until(&bank, 1).await;
        assert_eq!(bank.healed().await, [1]);
    });
    assert_eq!(answer, None);
    assert_eq!(ask(&bank, "k").await.expect("answered").0, 200);
    assert_eq!(bank.intents().await.len(), 1);
}

#[tokio::test]
async fn a_late_call_is_carried_out_although_nobody_waits_for_it() {
    let bank = Bank::start().await;
    bank.faults(json!([{ "call": "create", "effect": "delay", "ms": 86_400_000 }])).await;
    let impatient = tokio::time::timeout(Duration::from_millis(100), ask(&bank, "k")).await;
    assert!(impatient.is_err(), "{impatient:?}");
    assert_eq!(bank.intents().await.len(), 0);
    assert_eq!(bank.healed().await, [1]);
    until(&bank, 1).await;
}

#[tokio::test]
async fn every_call_and_every_look_can_be_spoiled() {
    let bank = Bank::start().await;
    let id = bank.created(PRICE).await;
    let intent = format!("{CREATE}/{id}");
    let ways = [
        ("create", CREATE.to_owned(), Some(vec![("amount", "500"), ("currency", "usd")])),
        ("confirm", format!("{intent}/confirm"), Some(vec![("payment_method", "pm_card_visa")])),
        ("capture", format!("{intent}/capture"), Some(vec![])),
        ("cancel", format!("{intent}/cancel"), Some(vec![])),
        ("refund", "/v1/refunds".to_owned(), Some(vec![("payment_intent", id.as_str())])),
        ("fetch", intent.clone(), None),
        ("list", CREATE.to_owned(), None),
        ("list", format!("/v1/refunds?payment_intent={id}"), None),
    ];
    for (call, path, form) in ways {
        for (effect, status) in [("500", Some(500)), ("429", Some(429)), ("timeout_before", None)] {
            bank.faults(json!([{ "call": call, "effect": effect }])).await;
            let url = format!("{}{path}", bank.url);
            let request = match &form {
                Some(form) => bank.http.post(url).form(form),
                None => bank.http.get(url),
            };
            let answer = request.bearer_auth(bank::SECRET_KEY).send().await;
            assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), status, "{call} {effect}");
            assert_eq!(bank.healed().await, [1], "{call} {effect}");
        }
    }
    let untouched = bank.get(&intent).await.1;
    assert_eq!(untouched["status"], "requires_payment_method");
}

#[tokio::test]
async fn a_webhook_may_never_come() {
    let mut shop = Shop::failing(0);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.faults(json!([{ "call": "webhook", "effect": "drop", "event": "payment_intent.created" }])).await;
    let id = bank.authorised(PRICE).await;
    assert_eq!(shop.next_kind().await, "payment_intent.amount_capturable_updated");
    assert_eq!(bank.healed().await, [1]);
    // what fell off the table is not owed after the next start
    let bank = bank.restart(|_| {}).await;
    bank.post(&format!("{CREATE}/{id}/capture"), &[], None).await;
    assert_eq!(shop.next_kind().await, "payment_intent.succeeded");
}

#[tokio::test]
async fn a_webhook_may_come_ten_times_at_once() {
    let mut shop = Shop::waiting_for(10);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.faults(json!([{ "call": "webhook", "effect": "duplicate", "count": 10 }])).await;
    bank.created(PRICE).await;
    let (_, first) = shop.next().await;
    for _ in 1..10 {
        assert_eq!(shop.next().await.1, first);
    }
}

#[tokio::test]
async fn a_webhook_may_come_late_on_the_sandboxs_clock() {
    let clock = Clock::manual(Clock::system().now());
    let mut shop = Shop::at(clock.clone());
    let webhook_url = Some(shop.url.clone());
    let bank = Bank::with(Options { webhook_url, clock: clock.clone(), ..Options::default() });
    bank.faults(json!([
        { "call": "webhook", "effect": "delay", "ms": 900_000, "times": 1 },
        { "call": "webhook", "effect": "delay", "ms": 86_400_000, "times": 1 },
    ]))
    .await;
    let id = bank.authorised(PRICE).await;
    bank.post(&format!("{CREATE}/{id}/capture"), &[], None).await;
    assert_eq!(shop.next_kind().await, "payment_intent.succeeded");
    clock.advance(Duration::from_secs(900));
    assert_eq!(shop.next_kind().await, "payment_intent.created");
    // and what is kept still comes when the faults end
    assert_eq!(bank.healed().await, [1, 1]);
    assert_eq!(shop.next_kind().await, "payment_intent.amount_capturable_updated");
}

#[tokio::test]
async fn webhooks_may_come_in_the_wrong_order() {
    let mut shop = Shop::failing(0);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    bank.faults(json!([{ "call": "webhook", "effect": "reorder", "count": 3, "ms": 86_400_000 }])).await;
    let id = bank.authorised(PRICE).await;
    bank.post(&format!("{CREATE}/{id}/capture"), &[], None).await;
    assert_eq!(shop.next_kind().await, "payment_intent.succeeded");
    assert_eq!(shop.next_kind().await, "payment_intent.amount_capturable_updated");
    assert_eq!(shop.next_kind().await, "payment_intent.created");
}

#[tokio::test]
async fn the_script_is_shown_replaced_and_for_the_shop_alone() {
    let bank = Bank::start().await;
    let url = format!("{}/sandbox/faults", bank.url);
    bank.faults(json!([{ "call": "create", "effect": "429", "every": 2 }])).await;
    assert_eq!((ask(&bank, "a").await.expect("answered").0, ask(&bank, "b").await.expect("answered").0), (200, 429));
    let shown = bank.get("/sandbox/faults").await.1;
    assert_eq!(shown["rules"][0]["effect"], "429");
    assert_eq!((&shown["rules"][0]["seen"], &shown["rules"][0]["fired"]), (&json!(2), &json!(1)));

    // a mistake changes nothing
    let bad = json!({ "rules": [{ "call": "create", "effect": "429", "evry": 2 }] });
    let refused = bank.http.post(&url).bearer_auth(bank::SECRET_KEY).json(&bad).send().await.expect("answers");
    assert_eq!(refused.status(), 400);
    let refused: Value = refused.json().await.expect("JSON");
    assert_eq!(refused["error"]["param"], "rules[0].evry");
    assert_eq!(bank.get("/sandbox/faults").await.1, shown);

    for request in [bank.http.get(&url), bank.http.post(&url), bank.http.delete(&url)] {
        let stranger = request.try_clone().expect("no stream").send().await.expect("answers");
        let browser = request.bearer_auth(bank::PUBLISHABLE_KEY).send().await.expect("answers");
        assert_eq!((stranger.status().as_u16(), browser.status().as_u16()), (401, 403));
    }
    assert_eq!(bank.healed().await, [1]);
    assert_eq!(bank.get("/sandbox/faults").await.1, json!({ "rules": [] }));
}

#[tokio::test]
async fn a_file_may_name_the_first_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("faults.json");
    std::fs::write(&file, r#"{ "rules": [{ "call": "create", "effect": "429", "times": 1 }] }"#).expect("written");
    let bank = Bank::with(Options { faults: Some(file), ..Options::default() });
    assert_eq!(ask(&bank, "k").await.expect("answered").0, 429);
    assert_eq!(ask(&bank, "k").await.expect("answered").0, 200);
}

/// Waits until the bank has so many intents.
async fn until(bank: &Bank, intents: usize) {
    let there = async {
        while bank.intents().await.len() < intents {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.expect("in time");
}
