//! Paying through the pages, without scripts, to the ticket in the hand.

use serde_json::{Value, json};
use shared::lifecycle::Lifecycle;

use super::browser::{Browser, Page, fields};
use crate::{
    fixture::{Fixture, Sale},
    purchase::provider::{Fault, Provider},
};

/// Nobody settles but the fan's own requests: no webhook is believed and no background job takes a step.
pub(super) async fn alone() -> Fixture {
    alone_with(json!({})).await
}

async fn alone_with(limits: Value) -> Fixture {
    let stopped = Lifecycle::new();
    stopped.stop();
    let settings = json!({ "stripe": { "webhook_secret": "whsec_another" }, "limits": limits });
    Fixture::with_jobs(settings, stopped).await
}

/// Holds two seats; the path of the checkout.
pub(super) async fn held(fan: &Browser<'_>, sale: &Sale) -> String {
    let path = format!("/e/{}/seats", sale.event_id);
    let key = fan.get(&path).await.field("key");
    let wish = fields(&[("key", &key), ("seats", "A-1"), ("seats", "A-2")]);
    fan.post(&path, &wish).await.location()
}

pub(super) async fn pay(fan: &Browser<'_>, path: &str, card: &str) -> Page {
    fan.post(path, &fields(&[("do", "pay"), ("card", card)])).await
}

#[tokio::test]
async fn a_fan_pays_and_has_tickets() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let page = fan.get(&path).await;
    for part in ["An Evening", "Row A, seat 1", "Row A, seat 2", "Pay $20.00", "no money moves", "data-countdown"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert_eq!(pay(&fan, &path, "approves").await.location(), path);
    let page = fan.get(&path).await;
    assert!(page.text.contains("You have it"), "{}", page.text);
    assert_eq!(page.text.matches("<article class=\"ticket\"").count(), 2);
    assert_eq!(page.text.matches("<svg ").count(), 2, "a code each: {}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(pay(&fan, &path, "approves").await.location(), path, "once more changes nothing");
}

#[tokio::test]
async fn the_bank_asks_and_leads_back() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    // the bank is on another origin here: a link, because no form of ours leads there
    let away = pay(&fan, &path, "bank").await;
    assert_eq!(away.status, 200);
    let bank = away.text.split_once(&format!(r#"href="{}/sandbox/3ds/"#, fixture.sandbox_url)).expect("a link").1;
    let bank = format!("{}/sandbox/3ds/{}", fixture.sandbox_url, bank.split('"').next().unwrap());
    let asked = Browser::new(&fixture).get(&bank).await;
    assert!(asked.text.contains("$20.00") && asked.text.contains("Approve the payment"), "{}", asked.text);
    let policy = asked.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://onsale.test;"), "leads back to the shop: {policy}");

    let back = Browser::new(&fixture).post(&bank, &fields(&[("outcome", "fail")])).await.location();
    let back = back.strip_prefix("http://onsale.test").expect("the shop");
    let back = fan.get(back).await.location();
    assert!(!back.contains("secret") && back.starts_with(&path), "nothing of the provider's in the history: {back}");
    let refused = fan.get(&back).await;
    assert!(refused.text.contains("did not approve") && refused.text.contains("Pay $20.00"), "{}", refused.text);

    assert_eq!(pay(&fan, &path, "bank").await.status, 200);
    let back = Browser::new(&fixture).post(&bank, &fields(&[("outcome", "approve")])).await.location();
    let back = back.strip_prefix("http://onsale.test").expect("the shop");
    let waiting = fan.get(&fan.get(back).await.location()).await;
    assert!(
        waiting.text.contains("Confirming with your bank") || waiting.text.contains("You have it"),
        "{}",
        waiting.text
    );
    assert_eq!(fan.post(&path, &fields(&[("do", "check")])).await.location(), path);
    assert!(fan.get(&path).await.text.contains("You have it"));
}

#[tokio::test]
async fn a_declined_card_keeps_the_seats() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    for (card, words) in [("declined", "declined this card"), ("funds", "not enough money")] {
        let refused = pay(&fan, &path, card).await;
        assert_eq!(refused.status, 402);
        assert!(refused.text.contains(words) && refused.text.contains("still held"), "{}", refused.text);
        assert!(refused.text.contains("Pay $20.00"), "and may be tried again");
    }
    assert_eq!(pay(&fan, &path, "pm_card_visa").await.status, 422, "cards of ours only");
    assert_eq!(pay(&fan, &path, "approves").await.location(), path);
    assert!(fan.get(&path).await.text.contains("You have it"));
}

#[tokio::test]
async fn seats_are_given_back_and_time_runs_out() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    assert_eq!(fan.post(&path, &fields(&[("do", "cancel")])).await.location(), path);
    let page = fan.get(&path).await;
    assert!(page.text.contains("You gave these seats back"), "{}", page.text);
    assert!(page.text.contains(&format!(r#"href="/e/{}/seats""#, sale.event_id)), "the way back");

    let path = held(&fan, &sale).await;
    fixture.clock.advance(std::time::Duration::from_secs(700));
    assert!(!fan.get(&path).await.text.contains("Pay $"), "no new payment");
    let late = pay(&fan, &path, "approves").await;
    assert_eq!(late.location(), path);
    booking::purchase::expiry::do_once(&fixture.app).await.unwrap();
    let page = fan.get(&path).await;
    assert!(page.text.contains("The time to pay ran out"), "{}", page.text);
}

#[tokio::test]
async fn a_checkout_is_its_owners_alone() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let stranger = Browser::signed_in(&fixture).await;
    assert_eq!(stranger.get(&path).await.status, 404);
    for act in ["pay", "check", "cancel", "prepare", "extend"] {
        assert_eq!(stranger.post(&path, &fields(&[("do", act), ("card", "approves")])).await.status, 404, "{act}");
    }
    assert_eq!(fan.get("/checkout/nonsense").await.status, 404);
    let nobody = Browser::new(&fixture).get(&path).await.location();
    assert_eq!(nobody, format!("/account?next=%2Fcheckout%2F{}", path.rsplit('/').next().unwrap()));
    assert!(fan.get(&path).await.text.contains("Pay $20.00"), "nobody else did anything");
}

#[tokio::test]
async fn at_the_real_provider_cards_are_typed_into_its_own_fields() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    // the same stores, asked by a process that knows of no test cards, however it reaches the provider
    let real = fixture.beside(json!({ "stripe": { "test_cards": false } })).await;
    let page = fan.get(&format!("{real}{path}")).await;
    assert!(page.text.contains(r#"data-script="https://js.stripe.com/"#), "{}", page.text);
    assert!(page.text.contains(r#"data-secret="pi_"#) && page.text.contains("<noscript>"), "{}", page.text);
    assert!(!page.text.contains("Test payment"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("https://js.stripe.com") && policy.contains("https://hooks.stripe.com"), "{policy}");
    let forged = fan.post(&format!("{real}{path}"), &fields(&[("do", "pay"), ("card", "approves")])).await;
    assert_eq!(forged.status, 422, "no card of ours there");
}

#[tokio::test]
async fn while_the_bank_decides_a_page_loaded_again_says_so() {
    let (fixture, provider) = Provider::before(alone().await).await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let intent: String = sqlx::query_scalar("SELECT intent_id FROM payment_attempts")
        .fetch_one(&fixture.world.pool)
        .await
        .expect("an intent");
    let metadata = json!({ "booking_id": path.rsplit('/').next().unwrap() });
    let processing =
        json!({ "id": intent, "status": "processing", "amount": 2_000, "currency": "usd", "metadata": metadata });
    provider.spoil("/confirm", Fault::Answers(processing.clone()));
    provider.spoil(intent.leak(), Fault::Answers(processing));
    let waiting = pay(&fan, &path, "approves").await.location();
    for _ in 0..2 {
        let page = fan.get(&waiting).await;
        assert!(page.text.contains("Confirming with your bank"), "{}", page.text);
        assert!(!page.text.contains("Pay $20.00"), "a second payment is not asked for");
    }
}

#[tokio::test]
async fn who_is_held_back_can_still_pay() {
    let once = json!({ "per_minute": 1, "burst": 1 });
    // by address, and by account
    for limits in [json!({ "checkout": once }), json!({ "confirm": once })] {
        let fixture = alone_with(limits).await;
        let sale = fixture.on_sale(1, 4).await;
        let fan = Browser::admitted(&fixture, &sale).await;
        let path = held(&fan, &sale).await;
        assert_eq!(pay(&fan, &path, "declined").await.status, 402);
        let held_back = pay(&fan, &path, "approves").await;
        assert_eq!(held_back.status, 429);
        assert!(held_back.headers.contains_key("retry-after"));
        for part in ["Too many payments", "Nothing was charged", "Pay $20.00"] {
            assert!(held_back.text.contains(part), "{part}: {}", held_back.text);
        }
        let looking = fan.post(&path, &fields(&[("do", "check")])).await.location();
        assert!(fan.get(&looking).await.text.contains("Confirming with your bank"), "looking again needs no provider");
    }
}

#[tokio::test]
async fn who_chose_others_is_told_of_the_seats_that_were_held() {
    let fixture = alone().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = held(&fan, &sale).await;
    let words = "You were holding these seats already.";
    let page = fan.get(&format!("{path}?held=already")).await;
    assert!(page.text.contains(words) && page.text.contains("give them back to choose others"), "{}", page.text);
    assert!(!fan.get(&path).await.text.contains(words));
    assert_eq!(fan.post(&path, &fields(&[("do", "cancel")])).await.location(), path);
    assert!(!fan.get(&format!("{path}?held=already")).await.text.contains(words), "nothing is held");
}
