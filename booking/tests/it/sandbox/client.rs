//! Our client of the provider's API, through a line that fails.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::any,
};
use booking::payments::{IntentStatus, NewIntent, RefundStatus, Stripe, StripeError};
use shared::lifecycle::Lifecycle;
use uuid::Uuid;

use super::{
    PRICE,
    bank::{self, Bank},
};
use crate::fixture;

/// Hands every request on to the sandbox, and answers 500 in the place of the first `failures` answers: carried
/// out there, unknown here.
struct BadLine {
    stripe: Stripe,
    requests: Arc<AtomicU32>,
    lifecycle: Lifecycle,
}

impl BadLine {
    fn to(bank: &Bank, failures: u32) -> Self {
        let requests = Arc::new(AtomicU32::new(0));
        let (count, http, target) = (requests.clone(), bank.http.clone(), bank.url.clone());
        let forward = move |method: Method, uri: Uri, mut headers: HeaderMap, body: Bytes| async move {
            headers.remove("host");
            let request = http.request(method, format!("{target}{uri}")).headers(headers).body(body);
            let answer = request.send().await.expect("the sandbox answers");
            if count.fetch_add(1, Ordering::SeqCst) < failures {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            let mut response = Response::new(axum::body::Body::empty());
            *response.status_mut() = answer.status();
            *response.body_mut() = answer.bytes().await.expect("a body").into();
            response
        };
        let lifecycle = Lifecycle::new();
        let listener = fixture::listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        fixture::serve(listener, Router::new().route("/{*path}", any(forward)), &lifecycle);
        let stripe = Stripe::new(url.parse().expect("an address"), bank::SECRET_KEY.into()).expect("a client");
        Self { stripe, requests, lifecycle }
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

fn new_intent() -> NewIntent {
    NewIntent {
        amount: PRICE,
        currency: "USD".to_owned(),
        booking_id: Uuid::now_v7(),
        attempt_id: Uuid::now_v7(),
        origin: "http://shop.test".to_owned(),
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_one_effect() {
    let bank = Bank::start().await;
    let line = BadLine::to(&bank, 2);
    let new = new_intent();
    let intent = line.stripe.create_intent(&new, &new.attempt_id.to_string()).await.expect("made");
    assert_eq!((line.requests(), bank.intents().await.len()), (3, 1));
    assert_eq!((intent.amount, intent.booking_id()), (PRICE, Some(new.booking_id)));
    assert_eq!(intent.status, IntentStatus::RequiresPaymentMethod);
}

#[tokio::test]
async fn giving_up_says_nothing_about_the_outcome() {
    let bank = Bank::start().await;
    let line = BadLine::to(&bank, 3);
    let refused = line.stripe.create_intent(&new_intent(), "k").await.expect_err("three failures are too many");
    assert!(matches!(refused, StripeError::Failed { status: 500, .. }), "{refused:?}");
    assert_eq!(line.requests(), 3);
}

#[tokio::test]
async fn the_whole_life_through_the_client() {
    let bank = Bank::start().await;
    let line = BadLine::to(&bank, 0);
    let stripe = &line.stripe;
    let new = new_intent();
    let id = stripe.create_intent(&new, "create").await.expect("made").id;

    match stripe.confirm(&id, "pm_card_chargeDeclinedInsufficientFunds", "http://shop.test/back").await {
        Err(StripeError::Declined { code, .. }) => assert_eq!(code, "insufficient_funds"),
        other => panic!("declined, not {other:?}"),
    }
    let asked = stripe.confirm(&id, "pm_card_threeDSecure2Required", "http://shop.test/back").await.expect("asked");
    assert_eq!(asked.status, IntentStatus::RequiresAction);
    assert!(asked.next_action.is_some());
    let authorised = stripe.confirm(&id, "pm_card_visa", "http://shop.test/back").await.expect("authorised");
    assert_eq!(authorised.status, IntentStatus::RequiresCapture);
    let captured = stripe.capture(&id, "capture").await.expect("captured");
    assert_eq!((captured.status, captured.amount_received), (IntentStatus::Succeeded, PRICE));
    assert!(stripe.capture(&id, "other key").await.expect_err("captured before").is_unexpected_state());
    assert!(stripe.cancel(&id, "cancel").await.expect_err("captured before").is_unexpected_state());
    assert_eq!(stripe.refund(&id, "refund").await.expect("refunded").status, RefundStatus::Succeeded);
    assert!(stripe.refund(&id, "again").await.expect_err("refunded before").is_already_refunded());
    assert_eq!(stripe.fetch(&id).await.expect("there").currency, "usd");
}

#[tokio::test]
async fn an_id_cannot_name_another_path() {
    let bank = Bank::start().await;
    let line = BadLine::to(&bank, 0);
    for id in ["", "../refunds", "pi_1/capture", "pi_1?x=1"] {
        assert!(matches!(line.stripe.fetch(id).await, Err(StripeError::Api { status: 404, .. })), "{id}");
    }
    assert_eq!(line.requests(), 0);
}
