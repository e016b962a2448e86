//! Redis: refused when unsafe, and never hanging.

use std::time::{Duration, Instant};

use shared::{
    private_stack::{PrivateRedis, Scratch},
    redis::{self, Redis},
    testing,
};

async fn connect(url: String) -> anyhow::Result<Redis> {
    redis::connect(&redis::Settings { url: url.into(), prefix: "t".into() }).await
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let data = Scratch::new("onsale-redis-test").unwrap();
    let server = PrivateRedis::start(data.path()).await.unwrap();
    let mut redis = connect(server.url()).await.unwrap();
    ::redis::cmd("CONFIG").arg(&["SET", "maxmemory-policy", "allkeys-lru"]).exec_async(&mut redis).await.unwrap();
    let error = connect(server.url()).await.unwrap_err();
    assert!(error.to_string().contains("maxmemory-policy allkeys-lru"), "{error}");
}

#[tokio::test]
async fn while_the_server_is_away_commands_fail_and_afterwards_they_work() {
    let data = Scratch::new("onsale-redis-test").unwrap();
    let socket = data.path().join("socket");
    let mut server = PrivateRedis::start(data.path()).await.unwrap();
    // one address for both servers
    let target = |url: String| std::os::unix::fs::symlink(url.trim_start_matches("redis+unix://"), &socket).unwrap();
    target(server.url());
    let mut redis = connect(format!("redis+unix://{}", socket.display())).await.unwrap();
    let ping = async |redis: &mut Redis| ::redis::cmd("PING").exec_async(redis).await;
    ping(&mut redis).await.unwrap();

    server.stop().await.unwrap();
    for _ in 0..2 {
        let started = Instant::now();
        ping(&mut redis).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(4));
    }
    drop(server);

    let server = PrivateRedis::start(data.path()).await.unwrap();
    std::fs::remove_file(&socket).unwrap();
    target(server.url());
    let started = Instant::now();
    while ping(&mut redis).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "never connected again");
    }
}

#[tokio::test]
async fn a_prefix_is_changed_without_another_connection() {
    let world = testing::world().await;
    let other = world.redis.with_prefix("other");
    assert_eq!(other.prefix(), "other");
    assert!(world.redis.prefix().starts_with("test-"));
}
