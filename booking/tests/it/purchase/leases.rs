//! Who asks the provider by itself asks little, and no two processes ask about the same booking.

use booking::purchase::{expiry, poller};

use super::provider::{Fault, Provider};
use super::*;

/// What all processes together ask about within two seconds.
const SHARE: usize = 8;

/// Open bookings old enough to be asked about; their intents.
async fn open_bookings(fixture: &Fixture, number: u32) -> Vec<String> {
    let sale = fixture.on_sale(2, 8).await;
    let mut intents = Vec::new();
    for seat in 0..number {
        let fan = buyer(fixture, &sale).await;
        let label = format!("{}-{}", if seat < 8 { "A" } else { "B" }, seat % 8 + 1);
        let id = booked(fixture, &fan, &sale, &[label.as_str()]).await.booking_id();
        intents.push(intent_id(fixture, id).await);
    }
    fixture.clock.advance(seconds(30));
    intents
}

fn asked(provider: &Provider, intents: &[String]) -> Vec<usize> {
    intents.iter().map(|intent| provider.times_asked(intent)).collect()
}

#[tokio::test]
async fn pollers_share_what_they_may_ask_and_ask_about_each_booking_once_a_minute() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let intents = open_bookings(&fixture, 12).await;
    let round = async || {
        let processes = (0..4).map(|_| poller::do_once(&fixture.app));
        for process in futures_util::future::join_all(processes).await {
            process.unwrap();
        }
    };
    round().await;
    assert_eq!(asked(&provider, &intents).iter().sum::<usize>(), SHARE, "however many processes");
    round().await;
    assert_eq!(asked(&provider, &intents).iter().sum::<usize>(), SHARE, "nor in the same two seconds again");
    fixture.clock.advance(seconds(3));
    round().await;
    assert_eq!(asked(&provider, &intents), [1; 12]);
    fixture.clock.advance(seconds(3));
    round().await;
    assert_eq!(asked(&provider, &intents), [1; 12], "they have a minute");
    fixture.clock.advance(seconds(60));
    round().await;
    assert_eq!(asked(&provider, &intents).iter().sum::<usize>(), 12 + SHARE);
}

#[tokio::test]
async fn while_one_poller_chooses_another_does_not() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let intents = open_bookings(&fixture, 1).await;
    let mut other = fixture.world.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('provider looks', 0))")
        .execute(&mut *other)
        .await
        .unwrap();
    poller::do_once(&fixture.app).await.unwrap();
    assert_eq!(asked(&provider, &intents), [0]);
    other.commit().await.unwrap();
    poller::do_once(&fixture.app).await.unwrap();
    assert_eq!(asked(&provider, &intents), [1]);
}

#[tokio::test]
async fn two_processes_do_not_expire_the_same_booking_at_once() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let intents = open_bookings(&fixture, 2).await;
    fixture.clock.advance(seconds(601));
    provider.spoil("", Fault::Hangs);
    let other = async {
        for intent in &intents {
            provider.asked(intent).await;
        }
        tokio::time::timeout(seconds(10), expiry::do_once(&fixture.app)).await.expect("nothing is left").unwrap();
        let so_far = asked(&provider, &intents);
        provider.heal();
        so_far
    };
    let (one, so_far) = tokio::join!(expiry::do_once(&fixture.app), other);
    one.unwrap();
    assert_eq!(so_far, [1, 1]);
    assert_eq!(live_claims(&fixture).await, 0);
}

#[tokio::test]
async fn a_process_that_died_gives_its_bookings_back() {
    let fixture = still_with(deaf()).await;
    open_bookings(&fixture, 1).await;
    fixture.clock.advance(seconds(601));
    let until = fixture.clock.now() + seconds(30);
    sqlx::query("INSERT INTO provider_looks SELECT 'expiry', booking_id, $1::timestamptz FROM bookings")
        .bind(until.to_string())
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 1);
    fixture.clock.advance(seconds(31));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
    fixture.clock.advance(seconds(3_631));
    booking::purchase::purge::do_once(&fixture.app).await.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM provider_looks").await, 0);
}

#[tokio::test]
async fn a_bank_that_is_deciding_is_not_asked_each_second() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &one.fan, id, Some("pm_card_threeDSecure2Required")).await.status, 202);
    let intent = intent_id(&fixture, id).await;
    fixture.clock.advance(seconds(601));
    let before = provider.times_asked(&intent);
    for (wait, times) in [(0, 1), (1, 1), (4, 2)] {
        fixture.clock.advance(seconds(wait));
        expiry::do_once(&fixture.app).await.unwrap();
        assert_eq!(provider.times_asked(&intent) - before, times);
    }
}

#[tokio::test]
async fn one_that_fails_is_asked_about_once_a_round() {
    let (fixture, provider) = Provider::before(still_with(deaf()).await).await;
    let intents = open_bookings(&fixture, 9).await;
    fixture.clock.advance(seconds(601));
    let failing: &'static str = intents[0].clone().leak();
    for round in 1..=3 {
        (0..3).for_each(|_| provider.spoil(failing, Fault::Fails));
        expiry::do_once(&fixture.app).await.unwrap();
        assert_eq!(live_claims(&fixture).await, 1, "the others are done");
        assert_eq!(provider.times_asked(failing), 3 * round, "three tries of one call");
    }
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
}

/// As many bookings of one event as it takes, without seats or intents, whose time is up.
async fn many_due(fixture: &Fixture, number: i32) {
    let sale = fixture.on_sale(1, 1).await;
    let fan = account(fixture).await;
    sqlx::query(
        "INSERT INTO bookings (booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity, expires_at)
         SELECT gen_random_uuid(), $1, $2, $3, n::text, 0, 'USD', 1, $4::timestamptz FROM generate_series(1, $5) n",
    )
    .bind(fan.user_id)
    .bind(sale.event_id)
    .bind(sale.drop.as_str())
    .bind((fixture.clock.now() - seconds(1)).to_string())
    .bind(number)
    .execute(&fixture.world.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_due_after_an_outage_begins_to_expire_some_at_a_time() {
    let fixture = still_with(deaf()).await;
    many_due(&fixture, 1_001).await;
    for open in [1, 0] {
        expiry::do_once(&fixture.app).await.unwrap();
        assert_eq!(count(&fixture, "SELECT count(*) FROM bookings WHERE phase = 'open'").await, open);
    }
}

#[tokio::test]
async fn what_has_begun_to_expire_goes_on_when_nothing_more_can_begin() {
    let fixture = still_with(deaf()).await;
    open_bookings(&fixture, 1).await;
    sqlx::query("UPDATE bookings SET phase = 'expiring'").execute(&fixture.world.pool).await.unwrap();
    many_due(&fixture, 1).await;
    sqlx::query("CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'takes too long'; END $$")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    sqlx::query(
        "CREATE TRIGGER late BEFORE UPDATE ON bookings FOR EACH ROW WHEN (NEW.phase = 'expiring')
         EXECUTE FUNCTION late()",
    )
    .execute(&fixture.world.pool)
    .await
    .unwrap();
    fixture.clock.advance(seconds(601));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(live_claims(&fixture).await, 0);
}
