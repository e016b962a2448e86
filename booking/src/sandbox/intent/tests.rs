use super::*;

fn intent() -> Intent {
    Intent {
        id: "pi_1".to_owned(),
        client_secret: "pi_1_secret_1".to_owned(),
        status: Status::RequiresPaymentMethod,
        amount: 5_000,
        currency: "usd".to_owned(),
        capture_method: CaptureMethod::Manual,
        metadata: BTreeMap::new(),
        description: None,
        created: Timestamp::UNIX_EPOCH,
        payment_method: None,
        return_url: None,
        challenge_url: None,
        last_error: None,
        charge: None,
        received: 0,
        refunded: 0,
        canceled: None,
        cancellation_reason: None,
    }
}

fn with(card: &str) -> Confirmation {
    Confirmation {
        payment_method: Card::named(card).map(|kind| (card.to_owned(), kind)),
        return_url: Some("http://shop/back".to_owned()),
        challenge_url: "http://bank/3ds/pi_1".to_owned(),
        charge: "ch_1".to_owned(),
    }
}

fn authorised() -> Intent {
    intent().confirm(with("pm_card_visa")).expect("allowed").intent
}

#[test]
fn a_card_is_authorised_then_captured_then_refunded() {
    let step = intent().confirm(with("pm_card_visa")).expect("allowed");
    assert_eq!((step.intent.status, step.event), (Status::RequiresCapture, "payment_intent.amount_capturable_updated"));
    let step = step.intent.capture(None).expect("allowed");
    assert_eq!((step.intent.status, step.intent.received), (Status::Succeeded, 5_000));
    let (step, given) = step.intent.refund(Some(2_000)).expect("allowed");
    assert_eq!(given, 2_000);
    assert_eq!(step.intent.refund(Some(3_001)), Err(Refusal::MoreThanLeft { amount: 3_001, most: 3_000 }));
    let (step, given) = step.intent.refund(None).expect("allowed");
    assert_eq!(given, 3_000);
    assert_eq!(step.intent.refund(None), Err(Refusal::AlreadyRefunded));
}

#[test]
fn captured_at_once_where_the_shop_asked_for_it() {
    let automatic = Intent { capture_method: CaptureMethod::Automatic, ..intent() };
    let step = automatic.confirm(with("pm_card_visa")).expect("allowed");
    assert_eq!((step.intent.status, step.intent.received), (Status::Succeeded, 5_000));
}

#[test]
fn a_decline_lets_the_payer_try_another_card() {
    let step = intent().confirm(with("pm_card_chargeDeclined")).expect("allowed");
    assert_eq!(step.declined.map(|decline| decline.code), Some("card_declined"));
    assert_eq!((step.intent.status, &step.intent.payment_method), (Status::RequiresPaymentMethod, &None));
    let step = step.intent.confirm(with("pm_card_visa")).expect("allowed");
    assert_eq!((step.intent.status, step.intent.last_error), (Status::RequiresCapture, None));
}

#[test]
fn the_bank_may_ask_first() {
    let asked = intent().confirm(with("pm_card_authenticationRequired")).expect("allowed").intent;
    assert_eq!(asked.status, Status::RequiresAction);
    assert_eq!(asked.view(false)["next_action"]["redirect_to_url"]["url"], "http://bank/3ds/pi_1");
    let approved = asked.challenged(true, "ch_1".to_owned()).expect("allowed").intent;
    assert_eq!((approved.status, &approved.challenge_url), (Status::RequiresCapture, &None));
    let failed = asked.challenged(false, "ch_1".to_owned()).expect("allowed").intent;
    assert_eq!(failed.status, Status::RequiresPaymentMethod);
    assert_eq!(failed.last_error.map(|error| error.code).as_deref(), Some("payment_intent_authentication_failure"));
    assert!(approved.challenged(true, "ch_2".to_owned()).is_err());
}

#[test]
fn every_state_refuses_what_does_not_fit() {
    let captured = authorised().capture(None).expect("allowed").intent;
    let canceled = authorised().cancel(None, Timestamp::UNIX_EPOCH).expect("allowed").intent;
    let refused = |action, status| Refusal::UnexpectedState { action, status };
    assert_eq!(intent().capture(None), Err(refused("captured", Status::RequiresPaymentMethod)));
    assert_eq!(captured.capture(None), Err(refused("captured", Status::Succeeded)));
    assert_eq!(canceled.capture(None), Err(refused("captured", Status::Canceled)));
    assert_eq!(captured.cancel(None, Timestamp::UNIX_EPOCH), Err(refused("canceled", Status::Succeeded)));
    assert_eq!(canceled.cancel(None, Timestamp::UNIX_EPOCH), Err(refused("canceled", Status::Canceled)));
    assert_eq!(authorised().confirm(with("pm_card_visa")), Err(refused("confirmed", Status::RequiresCapture)));
    assert_eq!(canceled.confirm(with("pm_card_visa")), Err(refused("confirmed", Status::Canceled)));
    assert_eq!(intent().confirm(with("no such card")), Err(Refusal::NoPaymentMethod));
    assert_eq!(authorised().refund(None), Err(Refusal::NothingToRefund));
    assert_eq!(authorised().capture(Some(5_001)), Err(Refusal::MoreThanAuthorised { amount: 5_001, most: 5_000 }));
}

#[test]
fn a_bank_may_approve_of_the_payer_and_not_of_the_payment() {
    for (card, decline_code) in [
        ("pm_card_threeDSecureRequiredChargeDeclined", "generic_decline"),
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "insufficient_funds"),
    ] {
        let asked = intent().confirm(with(card)).expect("allowed").intent;
        assert_eq!(asked.status, Status::RequiresAction);
        let step = asked.challenged(true, "ch_1".to_owned()).expect("allowed");
        assert_eq!(step.declined.and_then(|decline| decline.decline_code), Some(decline_code));
        assert_eq!((step.intent.status, step.intent.charge), (Status::RequiresPaymentMethod, None));
        let failed = asked.challenged(false, "ch_1".to_owned()).expect("allowed");
        assert_eq!(failed.declined.map(|decline| decline.code), Some("payment_intent_authentication_failure"));
    }
}

#[test]
fn a_bank_may_say_no_when_the_money_is_to_be_taken() {
    let authorised = intent().confirm(with("pm_onsale_captureDeclined")).expect("allowed").intent;
    assert_eq!(authorised.status, Status::RequiresCapture);
    let step = authorised.capture(None).expect("allowed");
    assert_eq!(step.declined.map(|decline| decline.code), Some("card_declined"));
    assert_eq!((step.intent.status, step.intent.received), (Status::RequiresPaymentMethod, 0));
    assert_eq!(authorised.cancel(None, Timestamp::UNIX_EPOCH).expect("allowed").intent.status, Status::Canceled);
}

#[test]
fn a_method_may_take_the_money_at_once_whatever_the_shop_asked() {
    let step = intent().confirm(with("pm_onsale_capturesAtOnce")).expect("allowed");
    assert_eq!(
        (step.intent.status, step.intent.received, step.event),
        (Status::Succeeded, 5_000, "payment_intent.succeeded")
    );
    assert_eq!(step.intent.refund(None).expect("allowed").1, 5_000);
}
