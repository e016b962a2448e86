//! While nobody knows whether the provider cancels an intent, nobody sells against it; when it has said that it did not,
//! everybody may.

use booking::purchase::expiry;
use booking::purchase::settle::{Settled, settle};

use super::provider::{Fault, Provider};
use super::*;

/// A booking whose time is up, which the provider was asked to cancel and did not, and paid for a moment later.
async fn paid_after(provider: &Provider, fixture: &Fixture, faults: impl Iterator<Item = Fault>) -> Uuid {
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(fixture, &sale).await;
    let booking = booked(fixture, &one, &sale, &["A-1"]).await;
    fixture.clock.advance(seconds(601));
    faults.for_each(|fault| provider.spoil("/cancel", fault));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!((live_claims(fixture).await, purchased(fixture).await), (1, 0));
    authorise_in_browser(fixture, &booking, "pm_card_visa").await;
    booking.booking_id()
}

#[tokio::test]
async fn a_call_that_may_be_on_its_way_keeps_the_seats_from_being_sold_for_a_minute() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let id = paid_after(&provider, &fixture, (0..3).map(|_| Fault::TooMany)).await;
    assert!(matches!(settle(&fixture.app, id).await.unwrap(), Settled::Pending { .. }));
    assert_eq!(purchased(&fixture).await, 0);
    fixture.clock.advance(seconds(61));
    assert!(matches!(settle(&fixture.app, id).await.unwrap(), Settled::Completed { .. }));
}

#[tokio::test]
async fn a_call_that_has_failed_keeps_nobody_waiting() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let id = paid_after(&provider, &fixture, std::iter::once(Fault::Fails)).await;
    assert!(matches!(settle(&fixture.app, id).await.unwrap(), Settled::Completed { .. }));
}

#[tokio::test]
async fn a_call_that_was_refused_keeps_nobody_waiting() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let refused = Fault::Refuses(400, json!({ "type": "invalid_request_error", "code": "parameter_unknown" }));
    let id = paid_after(&provider, &fixture, std::iter::once(refused)).await;
    assert!(matches!(settle(&fixture.app, id).await.unwrap(), Settled::Completed { .. }));
}

#[tokio::test]
async fn nobody_takes_back_what_another_has_written_down() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let intent: &'static str = intent_id(&fixture, id).await.leak();
    provider.spoil("/cancel", Fault::Fails);
    provider.spoil(intent, Fault::Hangs);
    // while one worker hears what became of its call, another's begins
    let overtaken = async {
        provider.asked(intent).await;
        let mark = sqlx::query("UPDATE payment_attempts SET voiding_at = voiding_at + interval '1 second'");
        assert_eq!(mark.execute(&fixture.world.pool).await.unwrap().rows_affected(), 1);
        provider.heal();
    };
    let (answer, ()) = tokio::join!(cancel(&fixture, &one.fan, id), overtaken);
    assert_eq!(answer.status, 202);
    assert_eq!(count(&fixture, "SELECT count(*) FROM payment_attempts WHERE voiding_at IS NOT NULL").await, 1);
}
