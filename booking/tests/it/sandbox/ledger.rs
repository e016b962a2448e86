//! What was answered survives; what was cut off in the middle never happened.

use std::{io::Write as _, path::Path};

use booking::sandbox::{self, Settings};
use shared::{clock::Clock, lifecycle::Lifecycle};

use super::{PRICE, bank::Bank};

fn append(text: &'static str) -> impl FnOnce(&Path) {
    move |ledger| {
        let mut file = std::fs::OpenOptions::new().append(true).open(ledger).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
    }
}

#[tokio::test]
async fn a_restart_keeps_intents_and_idempotency_keys() {
    let bank = Bank::start().await;
    let form = [("amount", "500"), ("currency", "usd")];
    let (_, made) = bank.post("/v1/payment_intents", &form, Some("k")).await;
    let paid = bank.authorised(PRICE).await;
    let before = bank.intents().await;

    let bank = bank.restart(|_| {}).await;
    assert_eq!(bank.intents().await, before);
    let (status, again) = bank.post("/v1/payment_intents", &form, Some("k")).await;
    assert_eq!((status, again), (200, made));
    assert_eq!(bank.post(&format!("/v1/payment_intents/{paid}/capture"), &[], None).await.0, 200);
}

#[tokio::test]
async fn a_last_line_cut_off_by_a_crash_is_dropped() {
    for torn in ["{\"at\":\"2026-01-01T00:00:00Z\",\"intent\":{\"id\":\"pi_to", "\0\0\0\0\n"] {
        let bank = Bank::start().await;
        bank.created(PRICE).await;
        let before = bank.intents().await;
        let bank = bank.restart(append(torn)).await;
        assert_eq!(bank.intents().await, before);
        // and the place it took is written over cleanly
        bank.created(PRICE).await;
        let bank = bank.restart(|_| {}).await;
        assert_eq!(bank.intents().await.len(), 2);
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_not_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.jsonl");
    std::fs::write(&ledger, "{\"nonsense\n{\"at\":\"2026-01-01T00:00:00Z\"}\n").expect("writes");
    let settings = Settings {
        ledger,
        secret_key: "sk".into(),
        publishable_key: "pk".to_owned(),
        webhook_secret: "whsec".into(),
        webhook_url: None,
        public_url: None,
        faults: None,
    };
    let refused = sandbox::build(settings, &site(), Clock::system(), Lifecycle::new()).expect_err("refuses to start");
    assert!(format!("{refused:#}").contains("line 1 cannot be read"), "{refused:#}");
}

#[tokio::test]
async fn two_processes_do_not_share_a_ledger() {
    let bank = Bank::start().await;
    let settings = Settings {
        ledger: bank.ledger,
        secret_key: "sk".into(),
        publishable_key: "pk".to_owned(),
        webhook_secret: "whsec".into(),
        webhook_url: None,
        public_url: None,
        faults: None,
    };
    let refused = sandbox::build(settings, &site(), Clock::system(), Lifecycle::new()).expect_err("refuses to start");
    assert!(format!("{refused:#}").contains("another process uses it"), "{refused:#}");
}

fn site() -> shared::pages::Site {
    shared::testing::site(vec![booking::assets()])
}
