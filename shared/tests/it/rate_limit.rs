//! A limit on a route.

use axum::{Router, routing::post};
use serde_json::Value;
use shared::{
    rate_limit::{Quota, RateLimit, limited},
    server, testing,
};

#[tokio::test]
async fn the_limited_route_says_when_to_come_back_and_others_are_free() {
    let limit = RateLimit::new("join", Quota { per_minute: 1, burst: 2 });
    let router =
        Router::new().route("/join", post(async || "in").layer(limited(limit))).route("/free", post(async || "free"));
    let settings = server::Settings { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..Default::default() };
    let url = testing::serve_with(router, settings, Default::default()).await;
    let client = reqwest::Client::new();
    let ask = async |path: &str, from: &str| {
        client.post(format!("{url}{path}")).header("x-forwarded-for", from).send().await.unwrap()
    };

    for _ in 0..2 {
        assert_eq!(ask("/join", "203.0.113.1").await.status(), 200);
    }
    let refused = ask("/join", "203.0.113.1").await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds));
    assert_eq!(refused.json::<Value>().await.unwrap()["type"], "/problems/rate-limited");

    assert_eq!(ask("/join", "203.0.113.2").await.status(), 200);
    assert_eq!(ask("/free", "203.0.113.1").await.status(), 200);
}
