//! Health and metrics.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use shared::{
    private::{self, Check},
    telemetry, testing,
};

#[tokio::test]
async fn ready_names_the_checks_that_fail() {
    let telemetry = telemetry::init(telemetry::Format::Text);
    let healthy = Arc::new(AtomicBool::new(false));
    let seen = healthy.clone();
    let checks = vec![
        Check::new("postgres", async || Ok(())),
        Check::new("redis", move || {
            let healthy = seen.load(Ordering::SeqCst);
            async move { if healthy { Ok(()) } else { anyhow::bail!("connection refused") } }
        }),
    ];
    let url = testing::serve(private::router(telemetry, checks)).await;

    let response = reqwest::get(format!("{url}/health/ready")).await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["failing"], json!([{ "check": "redis", "reason": "connection refused" }]));
    assert_eq!(reqwest::get(format!("{url}/health/live")).await.unwrap().status(), 200);

    healthy.store(true, Ordering::SeqCst);
    assert_eq!(reqwest::get(format!("{url}/health/ready")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_check_has_a_second() {
    let telemetry = telemetry::init(telemetry::Format::Text);
    let url = testing::serve(private::router(telemetry, vec![Check::new("deaf", std::future::pending)])).await;
    let body: Value = reqwest::get(format!("{url}/health/ready")).await.unwrap().json().await.unwrap();
    assert_eq!(body["failing"][0]["reason"], "no answer within a second");
}

#[tokio::test]
async fn requests_are_counted_by_route_not_by_path() {
    let telemetry = telemetry::init(telemetry::Format::Text);
    let router = private::router(telemetry, vec![]).route("/counted/{id}", axum::routing::get(async || "x"));
    let url = testing::serve(router).await;
    for path in ["counted/1", "counted/2", "secret-path"] {
        reqwest::get(format!("{url}/{path}")).await.unwrap();
    }
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let line = r#"onsale_http_requests_total{method="GET",route="/counted/{id}",status="200"} 2"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains("onsale_http_request_seconds_bucket"), "{text}");
    assert!(!text.contains("secret-path"), "{text}");
}
