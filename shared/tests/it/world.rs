//! Worlds do not see each other, and leave nothing.

use shared::{postgres, testing};
use sqlx::Connection as _;

const ADD: &str = "INSERT INTO performers (performer_id, name) VALUES (gen_random_uuid(), $1)";

#[tokio::test]
async fn worlds_are_apart() {
    let (one, other) = tokio::join!(testing::world(), testing::world());
    sqlx::query(ADD).bind("Argerich").execute(&one.pool).await.unwrap();
    let count = "SELECT count(*) FROM performers";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&other.pool).await.unwrap();
    assert_eq!(seen, 0);
    assert_ne!(one.redis.prefix(), other.redis.prefix());
    let pool = postgres::connect(&one.postgres_settings()).await.unwrap();
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn a_dropped_world_takes_its_database_along() {
    let (keeper, gone) = (testing::world().await, testing::world().await);
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&gone.pool).await.unwrap();
    drop(gone);
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&keeper.pool)
        .await
        .unwrap();
    assert!(!exists);
}

#[tokio::test]
async fn a_constraint_is_told_by_its_name_and_limits_are_set() {
    let world = testing::world().await;
    sqlx::query(ADD).bind("Argerich").execute(&world.pool).await.unwrap();
    let error = sqlx::query(ADD).bind("Argerich").execute(&world.pool).await.unwrap_err();
    assert_eq!(postgres::constraint(&error), Some("performers_natural"));
    assert!(!postgres::is_unavailable(&error));

    let pool = postgres::connect(&world.postgres_settings()).await.unwrap();
    let timeout: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&pool).await.unwrap();
    assert_eq!(timeout, "10s");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onsale' AND datname = current_database()";
    let mut other = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
    sqlx::query(cut).execute(&mut other).await.unwrap();
    let error = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
    assert!(postgres::is_unavailable(&error), "{error:?}");
    sqlx::query("SELECT 1").execute(&pool).await.unwrap(); // the next one finds a new connection
}
