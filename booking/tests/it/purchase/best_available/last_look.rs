//! Nobody is told "sold out" on a hint, nor because somebody is still deciding.

use redis::AsyncCommands as _;
use sqlx::PgConnection;

use super::*;

/// Until somebody waits for a lock in the test's database, or `asking` is over without.
async fn until_waiting<T>(fixture: &Fixture, asking: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let waiting = async {
        loop {
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                                WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(&fixture.world.pool)
            .await
            .unwrap();
            if waits {
                break;
            }
        }
    };
    tokio::select! {
        () = waiting => None,
        over = asking => Some(over),
    }
}

async fn connection(fixture: &Fixture) -> PgConnection {
    fixture.world.pool.acquire().await.unwrap().detach()
}

#[tokio::test]
async fn redis_cannot_say_that_all_is_sold() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let one = buyer(&fixture, &sale).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let mut redis = fixture.world.redis.clone();
    let taken = format!("{}:{{{}}}:seats:taken", redis.prefix(), sale.event_id);
    for seat in 0..4 {
        let _: bool = redis.setbit(&taken, seat, true).await.unwrap();
    }
    assert_eq!(checkout(&fixture, &one, &best(&sale, 4)).await.seats().len(), 4);
}

/// Somebody has the last seat in a transaction that comes to nothing.
#[tokio::test]
async fn who_is_still_deciding_is_waited_for() {
    let fixture = still_with(json!({ "hold_timeout_ms": 0 })).await;
    let sale = fixture.on_sale(1, 1).await;
    let one = buyer(&fixture, &sale).await;
    let mut other = connection(&fixture).await;
    let lock = "BEGIN; SELECT FROM tickets FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let wish = best(&sale, 1);
    let mut asking = Box::pin(checkout(&fixture, &one, &wish));
    let told = until_waiting(&fixture, &mut asking).await;
    assert!(told.is_none(), "{told:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(asking.await.seats(), ["A-1"]);
}

/// Last looks go one after the other, whatever process they are of.
#[tokio::test]
async fn last_looks_have_an_order() {
    let fixture = still_with(json!({ "hold_timeout_ms": 0 })).await;
    let sale = fixture.on_sale(1, 1).await;
    let one = buyer(&fixture, &sale).await;
    let mut other = connection(&fixture).await;
    sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('seats ' || $1, 0))")
        .bind(sale.event_id.to_string())
        .execute(&mut other)
        .await
        .unwrap();
    let wish = best(&sale, 2);
    let mut asking = Box::pin(checkout(&fixture, &one, &wish));
    let told = until_waiting(&fixture, &mut asking).await;
    assert!(told.is_none(), "{told:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(asking.await.told(), (409, "sold-out"));
}
