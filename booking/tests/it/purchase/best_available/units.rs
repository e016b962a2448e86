//! General admission: any unit will do, and none is left over.

use booking::catalogue::create;
use booking::catalogue::venues;

use super::*;
use crate::catalogue::evening;

const UNITS: u32 = 120;

async fn units_on_sale(fixture: &Fixture) -> Sale {
    venues::seed(&fixture.world.pool).await.unwrap();
    let mut event = evening("stadium");
    event.capacity = Some(UNITS);
    event.prices = vec![("standing".into(), 4_500)];
    let event_id = create::create(&fixture.world.pool, event).await.unwrap();
    Sale { event_id, drop: fixture.drop_for(&[event_id]).await }
}

/// Sixty buyers of one to four units each want some 150 of 120.
async fn sold_to_the_last_unit(fixture: &Fixture, urls: &[&str]) {
    let sale = units_on_sale(fixture).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let mut buyers = Vec::new();
    for index in 0..60_i64 {
        buyers.push((index % 4 + 1, buyer(fixture, &sale).await));
    }
    let asking = buyers.iter().enumerate().map(|(index, (quantity, buyer))| {
        Answer::of(
            fixture
                .http
                .post(format!("{}/booking/checkout", urls[index % urls.len()]))
                .bearer_auth(&buyer.fan.session)
                .header("Idempotency-Key", Uuid::new_v4().to_string())
                .header("Onsale-Admission", &buyer.token)
                .header("Onsale-Visitor", buyer.fan.visitor.expose())
                .json(&best(&sale, *quantity)),
        )
    });
    let answers = futures_util::future::join_all(asking).await;
    let sold: usize = answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.seats().len()).sum();
    let left = UNITS as usize - sold;
    assert_eq!(live_claims(fixture).await, i64::try_from(sold).unwrap());
    for ((quantity, _), answer) in buyers.iter().zip(&answers) {
        if answer.status != 201 {
            assert_eq!(answer.told(), (409, "sold-out"));
            assert!(usize::try_from(*quantity).unwrap() > left, "{quantity} refused, {left} left");
        }
    }
    // there are parties of one among the refused, or nobody was refused for want of a single unit
    let single = buyer(fixture, &sale).await;
    for _ in 0..left {
        let single = buyer(fixture, &sale).await;
        assert_eq!(checkout(fixture, &single, &best(&sale, 1)).await.status, 201);
    }
    assert_eq!(checkout(fixture, &single, &best(&sale, 1)).await.told(), (409, "sold-out"));
    assert_eq!(live_claims(fixture).await, i64::from(UNITS));
}

#[tokio::test]
async fn no_unit_is_left_and_nobody_refused_before() {
    let fixture = still().await;
    sold_to_the_last_unit(&fixture, &[&fixture.url]).await;
}

#[tokio::test]
async fn two_processes_sell_every_unit_while_redis_is_silent() {
    let fixture = still_with(json!({ "hold_timeout_ms": 0 })).await;
    let settings = json!({
        "hold_timeout_ms": 0, "limits": { "checkout": { "per_minute": 100_000, "burst": 10_000 } },
    });
    let second = fixture.beside(settings).await;
    sold_to_the_last_unit(&fixture, &[&fixture.url, &second]).await;
}
