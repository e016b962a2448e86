//! The provider's stand-in over HTTP: the life of an intent, Stripe's refusals, the ledger, webhooks, and our client
//! against it.

mod bank;
mod client;
mod faults;
mod ledger;
mod shop;
mod stand_in;
mod webhooks;

use std::time::Duration;

use bank::{Bank, Options};
use serde_json::Value;
use shared::clock::Clock;
use shop::Shop;

/// Money amounts of these tests, in cents.
const PRICE: i64 = 12_500;

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("(none)")
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["data"].as_array().expect("a list").iter();
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn authorise_capture_refund() {
    let bank = Bank::start().await;
    let intent = bank.create(PRICE).await;
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["metadata"]["booking_id"], "b-1");

    let id = intent["id"].as_str().expect("an id");
    let (status, authorised) = bank.confirm(id, "pm_card_visa").await;
    assert_eq!((status, &authorised["status"]), (200, &Value::from("requires_capture")));
    assert_eq!(
        (&authorised["amount_capturable"], &authorised["amount_received"]),
        (&Value::from(PRICE), &Value::from(0))
    );

    let (status, captured) = bank.post(&format!("/v1/payment_intents/{id}/capture"), &[], None).await;
    assert_eq!((status, &captured["status"]), (200, &Value::from("succeeded")));
    assert_eq!((&captured["amount_capturable"], &captured["amount_received"]), (&Value::from(0), &Value::from(PRICE)));

    let (status, refund) = bank.post("/v1/refunds", &[("payment_intent", id)], None).await;
    assert_eq!((status, &refund["amount"]), (200, &Value::from(PRICE)));
    let (status, again) = bank.post("/v1/refunds", &[("payment_intent", id)], None).await;
    assert_eq!((status, code(&again)), (400, "charge_already_refunded"));
    let refunds = bank.get(&format!("/v1/refunds?payment_intent={id}")).await.1;
    assert_eq!(refunds["data"].as_array().map(Vec::len), Some(1));
    let expanded = bank.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await.1;
    assert_eq!(expanded["latest_charge"]["amount_refunded"], PRICE);
}

#[tokio::test]
async fn captured_or_cancelled_once_and_not_both() {
    let bank = Bank::start().await;
    let captured = bank.authorised(PRICE).await;
    let capture = format!("/v1/payment_intents/{captured}/capture");
    assert_eq!(bank.post(&capture, &[], None).await.0, 200);
    for path in [capture.clone(), format!("/v1/payment_intents/{captured}/cancel")] {
        let (status, refused) = bank.post(&path, &[], None).await;
        assert_eq!((status, code(&refused)), (400, "payment_intent_unexpected_state"), "{path}");
        assert_eq!(refused["error"]["payment_intent"]["status"], "succeeded");
    }
    let cancelled = bank.authorised(PRICE).await;
    let (status, intent) = bank.post(&format!("/v1/payment_intents/{cancelled}/cancel"), &[], None).await;
    assert_eq!((status, &intent["status"]), (200, &Value::from("canceled")));
    let (status, refused) = bank.post(&format!("/v1/payment_intents/{cancelled}/capture"), &[], None).await;
    assert_eq!((status, code(&refused)), (400, "payment_intent_unexpected_state"));
}

#[tokio::test]
async fn many_captures_at_once_take_the_money_once() {
    let bank = Bank::start().await;
    let id = bank.authorised(PRICE).await;
    let path = format!("/v1/payment_intents/{id}/capture");
    let tries = (0..20).map(|_| bank.post(&path, &[], None));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
}

#[tokio::test]
async fn a_declined_card_leaves_the_intent_open_for_another() {
    let bank = Bank::start().await;
    let id = bank.created(PRICE).await;
    let (status, declined) = bank.confirm(&id, "pm_card_chargeDeclined").await;
    assert_eq!((status, code(&declined)), (402, "card_declined"));
    assert_eq!(declined["error"]["decline_code"], "generic_decline");
    let intent = bank.get(&format!("/v1/payment_intents/{id}")).await.1;
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["code"], "card_declined");
    assert_eq!(bank.confirm(&id, "pm_card_visa").await.1["status"], "requires_capture");
}

#[tokio::test]
async fn three_d_secure_ends_where_the_payer_says() {
    let bank = Bank::start().await;
    for (outcome, status, told) in
        [("approve", "requires_capture", "succeeded"), ("fail", "requires_payment_method", "failed")]
    {
        let id = bank.created(PRICE).await;
        let asked = bank.confirm(&id, "pm_card_authenticationRequired").await.1;
        assert_eq!(asked["status"], "requires_action");
        let page = asked["next_action"]["redirect_to_url"]["url"].as_str().expect("the bank's page").to_owned();
        let html = bank.http.get(&page).send().await.expect("answers").text().await.expect("text");
        assert!(html.contains("$125.00") && html.contains("<form method=\"post\""), "{html}");

        let answer = bank.http.post(&page).form(&[("outcome", outcome)]).send().await.expect("answers");
        assert_eq!(answer.status(), 303);
        let back = answer.headers()["location"].to_str().expect("ASCII");
        assert!(
            back.starts_with("http://shop.test/back?") && back.ends_with(&format!("redirect_status={told}")),
            "{back}"
        );
        let intent = bank.get(&format!("/v1/payment_intents/{id}")).await.1;
        assert_eq!((&intent["status"], &intent["next_action"]), (&Value::from(status), &Value::Null));
        let html = bank.http.get(&page).send().await.expect("answers").text().await.expect("text");
        assert!(html.contains("Nothing to approve"), "{html}");
    }
}

#[tokio::test]
async fn a_bank_beside_the_shop_is_reached_and_left_on_the_shops_origin() {
    let public_url = Some("http://shop.test/".to_owned());
    let bank = Bank::with(Options { public_url, ..Options::default() });
    let id = bank.created(PRICE).await;
    let asked = bank.confirm(&id, "pm_card_authenticationRequired").await.1;
    let page = asked["next_action"]["redirect_to_url"]["url"].as_str().expect("the bank's page").to_owned();
    let path = page.strip_prefix("http://shop.test").expect("the origin payers see");
    let answer = bank.http.post(format!("{}{path}", bank.url)).form(&[("outcome", "approve")]).send().await;
    let answer = answer.expect("answers");
    // a payer who knows the shop by another name stays where the cookies are
    let back = answer.headers()["location"].to_str().expect("ASCII");
    assert!(back.starts_with("/back?payment_intent=pi_"), "{back}");
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again() {
    let bank = Bank::start().await;
    let form = [("amount", "500"), ("currency", "usd"), ("capture_method", "manual")];
    let first = bank.send("/v1/payment_intents", &form, Some("k1")).await;
    let again = bank.send("/v1/payment_intents", &form, Some("k1")).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(first.text().await.expect("text"), again.text().await.expect("text"));
    let other = [("amount", "501"), ("currency", "usd")];
    let (status, refused) = bank.post("/v1/payment_intents", &other, Some("k1")).await;
    assert_eq!((status, &refused["error"]["type"]), (400, &Value::from("idempotency_error")));
    assert_eq!(bank.intents().await.len(), 1);

    // a refusal is an answer as well
    let id = bank.created(PRICE).await;
    let confirm = format!("/v1/payment_intents/{id}/confirm");
    let declined = [("payment_method", "pm_card_chargeDeclined")];
    assert_eq!(bank.post(&confirm, &declined, Some("k2")).await.0, 402);
    assert_eq!(bank.confirm(&id, "pm_card_visa").await.0, 200);
    assert_eq!(bank.post(&confirm, &declined, Some("k2")).await.0, 402, "the first answer, not a new attempt");
    // but what was never understood is not
    assert_eq!(bank.post("/v1/payment_intents", &[("amount", "x")], Some("k3")).await.0, 400);
    assert_eq!(bank.post("/v1/payment_intents", &form, Some("k3")).await.0, 200);
}

#[tokio::test]
async fn the_same_key_at_once_has_one_effect() {
    let bank = Bank::start().await;
    let form = [("amount", "500"), ("currency", "usd")];
    let tries = (0..20).map(|_| bank.post("/v1/payment_intents", &form, Some("same")));
    let answers = futures_util::future::join_all(tries).await;
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409)), "{answers:?}");
    assert_eq!(bank.intents().await.len(), 1);
}

#[tokio::test]
async fn the_list_shows_each_intent_exactly_once() {
    let bank = Bank::start().await;
    let mut made = Vec::new();
    for _ in 0..25 {
        made.push(bank.created(PRICE).await);
    }
    made.reverse();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let after = listed.last().map(|id| format!("&starting_after={id}")).unwrap_or_default();
        let page = bank.get(&format!("/v1/payment_intents?limit=10{after}")).await.1;
        listed.extend(ids(&page));
        if page["has_more"] == false {
            break;
        }
        bank.created(PRICE).await; // those who come later do not shift the pages
    }
    assert_eq!(listed, made);
    // and back again: those newer than the fifth oldest, the nearest ten of them
    let newer = bank.get(&format!("/v1/payment_intents?limit=10&ending_before={}", made[20])).await.1;
    assert_eq!((ids(&newer), &newer["has_more"]), (made[10..20].to_vec(), &Value::from(true)));
    for bad in ["limit=0", "limit=101", "limit=x", "starting_after=pi_none", "ending_before=pi_none", "nonsense=1"] {
        assert!(bank.get(&format!("/v1/payment_intents?{bad}")).await.0 >= 400, "{bad}");
    }
}

#[tokio::test]
async fn a_reconciler_asks_by_the_time_of_creation() {
    let clock = Clock::manual("2026-06-01T10:00:00.7Z".parse().expect("a time"));
    let bank = Bank::with(Options { clock: clock.clone(), ..Options::default() });
    let start = clock.now().as_second();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.insert(0, bank.created(PRICE).await);
        clock.advance(Duration::from_secs(60));
    }
    for (range, expected) in [
        (format!("created[gte]={}", start + 60), &made[..3]),
        (format!("created[gt]={}&created[lt]={}", start, start + 180), &made[1..3]),
        (format!("created[gte]={}&created[lte]={}", start + 60, start + 60), &made[2..3]),
        (format!("created[lte]={start}"), &made[3..]),
        (format!("created={}", start + 180), &made[..1]),
    ] {
        assert_eq!(ids(&bank.get(&format!("/v1/payment_intents?{range}")).await.1), expected, "{range}");
    }
    assert_eq!(bank.get("/v1/payment_intents?created[gte]=yesterday").await.0, 400);
}

#[tokio::test]
async fn what_was_told_can_be_listed() {
    let shop = Shop::failing(0);
    let bank = Bank::telling(Some(shop.url.clone())).await;
    let id = bank.authorised(PRICE).await;
    let told = bank.get("/v1/events").await.1;
    let kinds: Vec<_> = told["data"].as_array().expect("a list").iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["payment_intent.amount_capturable_updated", "payment_intent.created"]);
    assert_eq!(told["data"][0]["data"]["object"]["id"], id.as_str());
    let after = format!("/v1/events?starting_after={}", ids(&told)[0]);
    let bank = bank.restart(|_| {}).await;
    assert_eq!(ids(&bank.get(&after).await.1), ids(&told)[1..]);
    let created = bank.get("/v1/events?type=payment_intent.created&limit=1").await.1;
    assert_eq!((ids(&created), &created["has_more"]), (ids(&told)[1..].to_vec(), &Value::from(false)));
    assert_eq!(bank.get("/v1/events?starting_after=evt_none").await.0, 404);
}

#[tokio::test]
async fn part_of_an_authorisation_may_be_taken_and_part_of_that_given_back() {
    let bank = Bank::start().await;
    let id = bank.authorised(PRICE).await;
    let capture = format!("/v1/payment_intents/{id}/capture");
    let captured = bank.post(&capture, &[("amount_to_capture", "10000")], None).await.1;
    assert_eq!((&captured["amount_received"], &captured["status"]), (&Value::from(10_000), &Value::from("succeeded")));
    for (amount, status) in [("4000", 200), ("6001", 400), ("6000", 200), ("1", 400)] {
        let form = [("payment_intent", id.as_str()), ("amount", amount)];
        assert_eq!(bank.post("/v1/refunds", &form, None).await.0, status, "{amount}");
    }
    let charge = bank.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await.1["latest_charge"].take();
    assert_eq!((&charge["amount_captured"], &charge["amount_refunded"]), (&10_000.into(), &10_000.into()));
    assert_eq!(charge["refunded"], true);
}

#[tokio::test]
async fn a_capture_may_be_refused_by_the_bank() {
    let bank = Bank::start().await;
    let id = bank.created(PRICE).await;
    assert_eq!(bank.confirm(&id, "pm_onsale_captureDeclined").await.1["status"], "requires_capture");
    let (status, refused) = bank.post(&format!("/v1/payment_intents/{id}/capture"), &[], None).await;
    assert_eq!((status, code(&refused)), (402, "card_declined"));
    let intent = bank.get(&format!("/v1/payment_intents/{id}")).await.1;
    assert_eq!((&intent["status"], &intent["amount_received"]), (&"requires_payment_method".into(), &0.into()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_stripes_words() {
    let bank = Bank::start().await;
    let create = "/v1/payment_intents";
    let usd = ("currency", "usd");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[usd], "parameter_missing"),
        (&[("amount", "500")], "parameter_missing"),
        (&[("amount", "0"), usd], "parameter_invalid"),
        (&[("amount", "500"), ("currency", "dollars")], "parameter_invalid"),
        (&[("amount", "500"), usd, ("capture_method", "never")], "parameter_invalid"),
        (&[("amount", "500"), usd, ("payment_method_types[0]", "cheque")], "parameter_invalid"),
        (&[("amount", "500"), usd, ("ammount", "500")], "parameter_unknown"),
    ];
    for (form, expected) in cases {
        let (status, refused) = bank.post(create, form, None).await;
        assert_eq!((status, code(&refused)), (400, expected), "{form:?}");
    }
    let id = bank.created(PRICE).await;
    assert_eq!(code(&bank.confirm(&id, "pm_card_of_nobody").await.1), "resource_missing");
    assert_eq!(
        code(&bank.post(&format!("{create}/{id}/confirm"), &[], None).await.1),
        "payment_intent_unexpected_state"
    );
    for path in ["capture", "cancel", "confirm"] {
        let (status, refused) = bank.post(&format!("{create}/pi_none/{path}"), &[], None).await;
        assert_eq!((status, code(&refused)), (404, "resource_missing"), "{path}");
    }
    assert_eq!(code(&bank.get(&format!("{create}/pi_none")).await.1), "resource_missing");
    assert_eq!(
        code(&bank.post("/v1/refunds", &[("payment_intent", &id)], None).await.1),
        "payment_intent_unexpected_state"
    );
}

#[tokio::test]
async fn keys_open_what_they_should() {
    let bank = Bank::start().await;
    let intent = bank.create(PRICE).await;
    let (id, secret) = (intent["id"].as_str().expect("an id"), intent["client_secret"].as_str().expect("a secret"));
    let confirm = format!("{}/v1/payment_intents/{id}/confirm", bank.url);
    let list = format!("{}/v1/payment_intents", bank.url);

    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("answers").status().as_u16();
    assert_eq!(status(bank.http.get(&list)).await, 401);
    assert_eq!(status(bank.http.get(&list).bearer_auth("sk_wrong")).await, 401);
    assert_eq!(status(bank.http.get(&list).basic_auth(bank::SECRET_KEY, Some(""))).await, 200);
    assert_eq!(status(bank.http.get(&list).bearer_auth(bank::PUBLISHABLE_KEY)).await, 403);
    let browser = |secret: &str| {
        let form = [("payment_method", "pm_card_visa"), ("client_secret", secret)];
        bank.http.post(&confirm).bearer_auth(bank::PUBLISHABLE_KEY).form(&form)
    };
    assert_eq!(status(browser("pi_guess_secret_guess")).await, 404);
    assert_eq!(status(browser(secret)).await, 200);
}
