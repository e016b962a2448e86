//! Redis is a hint: lost, flushed or wrong, it costs time and never a seat.

use booking::seats::projection;
use redis::AsyncCommands as _;

use super::*;

/// Waits for Redis for as long as a busy machine takes: what it says is what is tested.
async fn patient() -> Fixture {
    still_with(json!({ "hold_timeout_ms": 10_000 })).await
}

fn key(fixture: &Fixture, sale: &Sale, name: &str) -> String {
    format!("{}:{{{}}}:seats:{name}", fixture.world.redis.prefix(), sale.event_id)
}

#[tokio::test]
async fn losers_are_told_by_redis_alone() {
    let fixture = patient().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    projection::do_once(&fixture.app).await.unwrap();
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let mut redis = fixture.world.redis.clone();
    let owner: String = redis.hget(key(&fixture, &sale, "owners"), 0).await.unwrap();
    assert!(owner.starts_with(&id.to_string()));

    // Postgres would say yes
    sqlx::query("UPDATE claims SET state = 'released'").execute(&fixture.world.pool).await.unwrap();
    let refused = checkout(&fixture, &two, &named(&sale, &["A-1", "A-2"])).await;
    assert_eq!(refused.told(), (409, "seats-taken"));
    assert_eq!(refused.body["seats"], json!(["A-1"]));
}

#[tokio::test]
async fn a_flushed_projection_is_rebuilt() {
    let fixture = patient().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two, three) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    booked(&fixture, &one, &sale, &["A-1"]).await;
    let mut redis = fixture.world.redis.clone();
    for name in ["epoch", "taken", "owners", "deadlines"] {
        let _: i64 = redis.del(key(&fixture, &sale, name)).await.unwrap();
    }
    // without a projection Postgres decides alone, and the next one is built on the way
    assert_eq!(checkout(&fixture, &two, &named(&sale, &["A-1"])).await.told(), (409, "seats-taken"));
    let taken: bool = redis.getbit(key(&fixture, &sale, "taken"), 0).await.unwrap();
    assert!(taken);
    booked(&fixture, &three, &sale, &["A-2"]).await;
}

#[tokio::test]
async fn a_wrong_mark_is_corrected() {
    let fixture = patient().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    booked(&fixture, &one, &sale, &["A-1"]).await;
    projection::do_once(&fixture.app).await.unwrap();
    let mut redis = fixture.world.redis.clone();
    let taken = key(&fixture, &sale, "taken");
    // wrong both ways: a sold seat looks free, a free one taken, since long ago
    let _: bool = redis.setbit(&taken, 0, false).await.unwrap();
    let _: bool = redis.setbit(&taken, 2, true).await.unwrap();
    assert_eq!(checkout(&fixture, &two, &named(&sale, &["A-3"])).await.told(), (409, "seats-taken"));

    projection::do_once(&fixture.app).await.unwrap();
    let bits: (bool, bool) = (redis.getbit(&taken, 0).await.unwrap(), redis.getbit(&taken, 2).await.unwrap());
    assert_eq!(bits, (true, false));
    booked(&fixture, &two, &sale, &["A-3"]).await;
}
